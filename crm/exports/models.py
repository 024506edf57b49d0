"""An export from its asking to its deletion, and whom the file that lies ready holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class ExportState(StrEnum):
    """How far an export has come."""

    WAITING = "waiting"
    DECLINED = "declined"
    LAPSED = "lapsed"
    MAKING = "making"
    VOID = "void"
    FAILED = "failed"
    CANCELLED = "cancelled"
    READY = "ready"
    STREAMED = "streamed"
    GONE = "gone"


class Format(StrEnum):
    """The kind of file."""

    CSV = "csv"
    XLSX = "xlsx"


class ExportRun(Model):
    """Who takes which people with them, why, who agreed, and where the file lies.

    `people` is how many the query meant when it was asked for, and in the file once that is made;
    `agreed` how many the second person agreed to; `wall` a fingerprint of what the asker may see.
    """

    __tablename__ = "export_run"
    __table_args__ = (Index(None, "asked_by", "asked_at"), Index(None, "state"))

    id: Mapped[int] = identity()
    query: Mapped[str]
    format: Mapped[Format] = mapped_column(Choice(Format))
    columns: Mapped[list[str]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(default="")
    state: Mapped[ExportState] = mapped_column(Choice(ExportState))
    people: Mapped[int]
    blocked: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    agreed: Mapped[int | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    word: Mapped[str] = mapped_column(default="")
    wall: Mapped[str] = mapped_column(default="")
    stored_as: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    made_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    kept_until: Mapped[datetime | None] = mapped_column(UTCDateTime())
    downloads: Mapped[int] = mapped_column(default=0)


class ExportPerson(Model):
    """A person in a file that lies ready; goes with the file."""

    __tablename__ = "export_person"
    __table_args__ = (Index(None, "alumnus_id"),)

    export_id: Mapped[int] = mapped_column(ForeignKey("export_run.id"), primary_key=True)
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
