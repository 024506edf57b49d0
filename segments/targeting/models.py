"""The registry of propensity models and the scores that the live one gave."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class PropensityModel(Model):
    """A trained model with its card; at most one is live a way.

    `body` is the model as JSON and `sha256` its fingerprint; nothing else is ever loaded. `card` is
    what it was measured on and why it went live or not; `drift` what the watch last found.
    """

    __tablename__ = "propensity_model"
    __table_args__ = (
        UniqueConstraint("way_key", "no"),
        Index("uq_propensity_model_live", "way_key", unique=True, postgresql_where=text("live")),
    )

    id: Mapped[int] = identity()
    way_key: Mapped[str]
    no: Mapped[int]
    trained_at: Mapped[datetime] = mapped_column(UTCDateTime())
    card: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str]
    live: Mapped[bool] = mapped_column(default=False)
    drift: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class TrainingState(StrEnum):
    """How far a training has come; `few` is one that found too little to learn from."""

    WAITING = "waiting"
    LEARNING = "learning"
    SCORING = "scoring"
    DONE = "done"
    FEW = "few"
    FAILED = "failed"

    @property
    def step(self) -> int:
        """How many of the three steps are behind it."""
        return {"waiting": 0, "learning": 1, "scoring": 2}.get(self.value, 3)


class ModelTraining(Model):
    """A training that somebody asked for, and what came of it."""

    __tablename__ = "model_training"

    id: Mapped[int] = identity()
    way_key: Mapped[str]
    state: Mapped[TrainingState] = mapped_column(Choice(TrainingState))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    model_id: Mapped[int | None] = mapped_column(ForeignKey("propensity_model.id"))


class ScoreBlock(Model):
    """The live model's chances of a yes for one way, of people whose ids follow each other.

    `chances` are those of the ids `no` × 128 to `no` × 128 + 127 in order, NaN of whoever is not
    scored. All of a way are worked out and written at once: so the few wide rows take a hundredth
    of what a row a person takes. `segments.targeting.scores` reads and writes them.
    """

    __tablename__ = "score_block"

    way_key: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    model_id: Mapped[int] = mapped_column(ForeignKey("propensity_model.id"))
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    chances: Mapped[list[float]] = mapped_column(ARRAY(Double))
