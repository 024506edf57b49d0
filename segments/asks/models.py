"""One person asked, the hold on their place while they think, and the yes with a date."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class AskState(StrEnum):
    """open: mailed or about to be, the hold runs; the rest is how it ended.

    `none` is an ask nobody answered (its hold expired); `released` one whose place somebody else
    took first; `cancelled` one that the school or the send policy called off before an answer.
    """

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    NONE = "none"
    RELEASED = "released"
    CANCELLED = "cancelled"


class CommitmentState(StrEnum):
    """What became of a yes. `clearing`: the place is held while the clearance is being proved."""

    CLEARING = "clearing"
    PLANNED = "planned"
    ATTENDED = "attended"
    MISSED = "missed"
    CANCELLED = "cancelled"


PROMISED = (CommitmentState.CLEARING, CommitmentState.PLANNED)
"""A promise that still stands, whether it is confirmed already or not."""


class Ask(Model):
    """One person asked for one way to help, for a request or (imported history) without one.

    `probability`, `rank` and `reasons` are what decided it, kept as they were (law 5); `chosen_by`
    is `rank` or `explore`, with the chance that it had of being chosen in `propensity`. `note` is
    how an ask ended in one word (`later`, `never`, or the reason of a cancelled one); nobody is
    asked again before `rest_until`, which an answer of `later` (any way) or `never` (this way)
    sets. A person has one open ask at most: the index decides when two schools ask at once.
    """

    __tablename__ = "ask"
    __table_args__ = (
        UniqueConstraint("request_id", "alumnus_id"),
        UniqueConstraint("dedupe_key"),
        Index(None, "alumnus_id", "asked_at"),
        Index(None, "way_key", "asked_at"),
        Index("ix_ask_import", "import_id", postgresql_where=text("import_id is not null")),
        Index("ix_ask_open", "expires_at", postgresql_where=text("state = 'open'")),
        Index("ix_ask_rest", "alumnus_id", postgresql_where=text("rest_until is not null")),
        Index(
            "uq_ask_open_person",
            "alumnus_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = identity()
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"))
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    way_key: Mapped[str] = mapped_column(ForeignKey("way.key"))
    state: Mapped[AskState] = mapped_column(Choice(AskState))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    wave: Mapped[int] = mapped_column(default=1)
    rank: Mapped[int | None]
    probability: Mapped[float | None]
    propensity: Mapped[float | None]
    chosen_by: Mapped[str] = mapped_column(default="rank")
    reasons: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    note: Mapped[str] = mapped_column(default="")
    rest_until: Mapped[date | None]
    dedupe_key: Mapped[str | None]
    import_id: Mapped[int | None] = mapped_column(ForeignKey("import_run.id"))


class Commitment(Model):
    """A yes with a date, and afterwards what came of it."""

    __tablename__ = "commitment"
    __table_args__ = (
        UniqueConstraint("ask_id"),
        Index(None, "request_id"),
        Index(None, "alumnus_id", "starts_at"),
    )

    id: Mapped[int] = identity()
    ask_id: Mapped[int] = mapped_column(ForeignKey("ask.id"))
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"))
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime())
    state: Mapped[CommitmentState] = mapped_column(Choice(CommitmentState))
    hours: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    pupils: Mapped[int | None]
    clear_by: Mapped[date | None]
    feedback: Mapped[str] = mapped_column(default="")
    thanked_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())


class AskLimit(Model):
    """How often in a year a person wants to be asked at most, by their own word."""

    __tablename__ = "ask_limit"
    __table_args__ = (CheckConstraint("most between 1 and 12", name="most"),)

    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
    most: Mapped[int]
