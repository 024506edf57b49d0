"""A school's need for a person, and when it could be met."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class RequestState(StrEnum):
    """The life of a request."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    ASKING = "asking"
    FILLED = "filled"
    UNFILLED = "unfilled"
    DONE = "done"
    THANKED = "thanked"
    CANCELLED = "cancelled"


class Supervision(StrEnum):
    """How pupils are watched while the person is with them; decides the clearance needed."""

    NO_PUPILS = "no_pupils"
    SUPERVISED = "supervised"
    UNSUPERVISED = "unsupervised"


class Place(StrEnum):
    """Where the help is given."""

    SCHOOL = "school"
    VIRTUAL = "virtual"


class GradeBand(StrEnum):
    """The pupils' grades."""

    K_5 = "k-5"
    G6_8 = "6-8"
    G9_12 = "9-12"


def _created(context: Any) -> datetime:
    """A row's first state begins when the row does."""
    created: datetime = context.get_current_parameters()["created_at"]
    return created


class Request(Model):
    """What a school needs: which way to help, about what, for whom, how many people.

    `weeks` is how long mentoring lasts (null: once, or the district's usual time).
    `reason` says why it went back, stayed unfilled or was cancelled; with `auto` the desk sends the
    next wave itself when holds run out. The present state began `since` and should be over by
    `due_at`; from `warn_at` on somebody is told, once (`alarmed_at`). See `life.py`.
    """

    __tablename__ = "request"
    __table_args__ = (
        CheckConstraint("places between 1 and 50", name="places"),
        CheckConstraint("pupils between 1 and 5000", name="pupils"),
        CheckConstraint("weeks between 1 and 104", name="weeks"),
        Index(None, "state", "created_at"),
        Index(None, "school_id", "created_at"),
        Index("ix_request_warn", "warn_at", postgresql_where=text("alarmed_at is null")),
    )

    id: Mapped[int] = identity()
    school_id: Mapped[int] = mapped_column(ForeignKey("school.id"))
    title: Mapped[str]
    way_key: Mapped[str] = mapped_column(ForeignKey("way.key"))
    subject_key: Mapped[str | None] = mapped_column(ForeignKey("subject.key"))
    grade_band: Mapped[GradeBand] = mapped_column(Choice(GradeBand))
    pupils: Mapped[int]
    places: Mapped[int] = mapped_column(default=1)
    place: Mapped[Place] = mapped_column(Choice(Place))
    language: Mapped[str | None]
    supervision: Mapped[Supervision] = mapped_column(Choice(Supervision))
    note: Mapped[str] = mapped_column(default="")
    weeks: Mapped[int | None]
    state: Mapped[RequestState] = mapped_column(Choice(RequestState))
    reason: Mapped[str | None]
    auto: Mapped[bool] = mapped_column(default=False)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    approved_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    since: Mapped[datetime] = mapped_column(UTCDateTime(), default=_created)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    warn_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    alarmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    filled_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class RequestDate(Model):
    """One of the times that would suit the school."""

    __tablename__ = "request_date"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="span"),
        Index(None, "request_id", "starts_at"),
    )

    id: Mapped[int] = identity()
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime())
