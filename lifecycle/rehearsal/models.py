"""Rehearsals that were asked for, with what came of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class RehearsalState(StrEnum):
    """How far a rehearsal has come."""

    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Rehearsal(Model):
    """What was rehearsed: one journey, or all that were live (no key); perhaps a draft of it.

    `version_id` is the version that was live, `people` how many are drawn (all for None), `done`
    how much of it is lived through, of 100.
    """

    __tablename__ = "rehearsal"
    __table_args__ = (Index(None, "journey_key", "id"),)

    id: Mapped[int] = identity()
    journey_key: Mapped[str | None]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("journey_version.id"))
    draft: Mapped[str | None]
    months: Mapped[int]
    people: Mapped[int | None]
    runs: Mapped[int]
    state: Mapped[RehearsalState] = mapped_column(Choice(RehearsalState))
    done: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
