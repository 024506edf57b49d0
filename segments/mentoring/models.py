"""A mentor and the pupil they go along with for a while, and the words asked of the mentor."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class PairState(StrEnum):
    """active: under way; done: closed as planned, thanked; ended: stopped before its time."""

    ACTIVE = "active"
    DONE = "done"
    ENDED = "ended"


class Word(StrEnum):
    """What a mentor answers to a check-in."""

    MET = "met"
    NOT_YET = "not_yet"
    STOP = "stop"


class MentorPair(Model):
    """One mentor and one pupil, at one school, from a day until another.

    `mentee` is what the school calls the pupil among us (initials, a project), never a full name:
    pupils have no record here. `level` is the clearance that it takes. `hours` add up at the end.
    """

    __tablename__ = "mentor_pair"
    __table_args__ = (
        CheckConstraint("ends_on > starts_on", name="span"),
        UniqueConstraint("ask_id"),
        Index(None, "alumnus_id", "state"),
        Index(None, "school_id", "state"),
        Index("ix_mentor_pair_active", "ends_on", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    school_id: Mapped[int] = mapped_column(ForeignKey("school.id"))
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"))
    ask_id: Mapped[int | None] = mapped_column(ForeignKey("ask.id"))
    mentee: Mapped[str]
    level: Mapped[int]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    state: Mapped[PairState] = mapped_column(Choice(PairState))
    reason: Mapped[str] = mapped_column(default="")
    hours: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class MentorCheckin(Model):
    """One word asked of the mentor by mail: when it is due, when it went, what they said.

    Nobody's answer in time is `missed_at`, until somebody settles it (`settled_at`).
    """

    __tablename__ = "mentor_checkin"
    __table_args__ = (
        UniqueConstraint("pair_id", "number"),
        Index(None, "alumnus_id"),
        Index("ix_mentor_checkin_due", "due_on", postgresql_where=text("sent_at is null")),
        Index(
            "ix_mentor_checkin_waiting", "sent_at",
            postgresql_where=text("answered_at is null and missed_at is null"),
        ),
        Index(
            "ix_mentor_checkin_missed", "pair_id",
            postgresql_where=text("missed_at is not null and settled_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[int] = identity()
    pair_id: Mapped[int] = mapped_column(ForeignKey("mentor_pair.id"))
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    number: Mapped[int]
    due_on: Mapped[date]
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    answer: Mapped[Word | None] = mapped_column(Choice(Word))
    hours: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    line: Mapped[str] = mapped_column(default="")
    missed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))


class MentorCapacity(Model):
    """How many pupils a mentor takes at once, where it is not the district's usual number."""

    __tablename__ = "mentor_capacity"
    __table_args__ = (CheckConstraint("most between 0 and 20", name="most"),)

    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
    most: Mapped[int]
