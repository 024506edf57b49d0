"""One person's phase and stage now, and every move that led there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime, identity


class Standing(Model):
    """Where a person stands; derived, never edited by hand, narrow so that a million can move.

    `next_at` is the moment at which time alone will next change the phase or the stage;
    `stage_next_at` the part of it that needs the interactions read again.
    """

    __tablename__ = "standing"
    __table_args__ = (
        Index("ix_standing_next", "next_at", postgresql_where=text("next_at is not null")),
        Index(None, "stage", "phase", "alumnus_id"),
        {"postgresql_with": {"fillfactor": "60"}},
    )

    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
    phase: Mapped[str]
    phase_since: Mapped[datetime] = mapped_column(UTCDateTime())
    stage: Mapped[str]
    stage_since: Mapped[datetime] = mapped_column(UTCDateTime())
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    stage_next_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class StandingMove(Model):
    """One move along an axis (`phase` or `stage`) with the facts that decided it (law 5)."""

    __tablename__ = "standing_move"
    __table_args__ = (
        Index(None, "alumnus_id", "at"),
        Index(None, "at", "axis"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    axis: Mapped[str]
    from_key: Mapped[str | None]
    to_key: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    since: Mapped[datetime] = mapped_column(UTCDateTime())
    cause: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ContinuumEdition(Model):
    """A definition of the continuum that was in force; a new one places everybody again."""

    __tablename__ = "continuum_edition"

    id: Mapped[int] = identity()
    sha256: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())
