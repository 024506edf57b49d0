"""What people ask of the data that is kept about them, what must be held back, what was let go."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class RightKind(StrEnum):
    """What somebody asks for: everything about them in a file, or to be forgotten."""

    DOWNLOAD = "download"
    ERASE = "erase"


class RequestState(StrEnum):
    """unconfirmed (a code was mailed) → open (the code was typed) → done or declined.

    One whose code is never typed stays unconfirmed until the retention schedule lets it go.
    """

    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"


class DataRequest(Model):
    """One wish of a person about their data; the code that confirms it is kept as a keyed hash."""

    __tablename__ = "data_request"
    __table_args__ = (
        Index(None, "alumnus_id", "kind", "asked_at"),
        Index("ix_data_request_open", "due_on", "id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    kind: Mapped[RightKind] = mapped_column(Choice(RightKind))
    state: Mapped[RequestState] = mapped_column(Choice(RequestState))
    contact_point_id: Mapped[int | None] = mapped_column(BigInteger)
    code_hash: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    due_on: Mapped[date | None]
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    note: Mapped[str] = mapped_column(default="")


class LegalHold(Model):
    """Somebody whose rows must stay as they are: no retention and no erasing until released."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        Index(
            "uq_legal_hold_standing", "alumnus_id", unique=True,
            postgresql_where=text("released_at is null"),
        ),
    )  # fmt: skip

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    released_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    released_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))


class RetentionRun(Model):
    """What one run of the schedule let go of one kind of rows, and from which moment back."""

    __tablename__ = "retention_run"
    __table_args__ = (Index(None, "key", "at"),)

    id: Mapped[int] = identity()
    key: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    cutoff: Mapped[datetime] = mapped_column(UTCDateTime())
    rows: Mapped[int]
