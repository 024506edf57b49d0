"""Proof that a person may work with pupils."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime, identity


class Clearance(Model):
    """A level held from a day until its expiry; `school_id` null means every school accepts it."""

    __tablename__ = "clearance"
    __table_args__ = (
        CheckConstraint("level between 1 and 3", name="level"),
        CheckConstraint("expires_on > granted_on", name="span"),
        Index(None, "alumnus_id", "level", "expires_on"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    level: Mapped[int]
    proof: Mapped[str] = mapped_column(default="")
    granted_on: Mapped[date]
    expires_on: Mapped[date]
    revoked_on: Mapped[date | None]
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime())
