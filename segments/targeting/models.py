"""The registry of propensity models and the scores that the live one gave."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime, identity


class PropensityModel(Model):
    """A trained model with its card; at most one is live a way.

    `body` is the model as JSON and `sha256` its fingerprint; nothing else is ever loaded.
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


class Score(Model):
    """The live model's chance of a yes for one person and one way, with what drove it."""

    __tablename__ = "score"
    __table_args__ = (Index(None, "way_key", "probability"),)

    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
    way_key: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("propensity_model.id"))
    probability: Mapped[float]
    reasons: Mapped[list[Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
