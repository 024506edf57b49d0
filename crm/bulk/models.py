"""A change to many people at once: what was looked at, what was done, and what was taken back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class BulkState(StrEnum):
    """How far a change has come."""

    LOOKING = "looking"
    READY = "ready"
    APPLYING = "applying"
    STOPPED = "stopped"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Fate(StrEnum):
    """What the change does, or did, to one person."""

    CHANGE = "change"
    SAME = "same"
    KEPT = "kept"
    DONE = "done"
    BACK = "back"
    STAYS = "stays"


class BulkRun(Model):
    """One action on the people of a query, or on some chosen among them (`chosen`: their ids).

    `totals` counts people by fate and, for those left alone, by reason (`kept:REASON`).
    """

    __tablename__ = "bulk_run"
    __table_args__ = (Index(None, "asked_by"),)

    id: Mapped[int] = identity()
    action: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    said: Mapped[str] = mapped_column(default="")
    query: Mapped[str]
    chosen: Mapped[list[int] | None] = mapped_column(JSONB(none_as_null=True))
    state: Mapped[BulkState] = mapped_column(Choice(BulkState))
    totals: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)
    done: Mapped[int] = mapped_column(default=0)
    due: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    asked_by: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    works_for: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    moved_at: Mapped[datetime] = mapped_column(UTCDateTime())
    applied_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class BulkLine(Model):
    """One person of a change: the fact as it was and as it became, so that it can be taken back.

    `seen_at` is when the record had last been changed before.
    """

    __tablename__ = "bulk_line"
    __table_args__ = (Index(None, "run_id", "fate", "alumnus_id"), Index(None, "alumnus_id"))

    run_id: Mapped[int] = mapped_column(ForeignKey("bulk_run.id"), primary_key=True)
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
    fate: Mapped[Fate] = mapped_column(Choice(Fate))
    reason: Mapped[str] = mapped_column(default="")
    before: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
