"""Proof that a person may work with pupils."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime, identity


class Clearance(Model):
    """A level held from a day until its expiry; `school_id` null means every school accepts it."""

    __tablename__ = "clearance"
    __table_args__ = (
        CheckConstraint("level between 1 and 5", name="level"),
        CheckConstraint("expires_on > granted_on", name="span"),
        Index(None, "alumnus_id", "level", "expires_on"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    level: Mapped[int]
    proof: Mapped[str] = mapped_column(default="")
    trained_on: Mapped[date | None]
    granted_on: Mapped[date]
    expires_on: Mapped[date]
    revoked_on: Mapped[date | None]
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime())


class ClearanceCase(Model):
    """Somebody who said yes to what takes a clearance that they lack: the clock to get it runs.

    `due_on` is the last day on which it helps. It ends when the clearance is on record, or with
    `late` or `called_off` in `ended_how`.
    """

    __tablename__ = "clearance_case"
    __table_args__ = (
        Index(
            "uq_clearance_case_open", "alumnus_id", "level", unique=True,
            postgresql_where=text("ended_at is null"),
        ),
        Index("ix_clearance_case_due", "due_on", postgresql_where=text("ended_at is null")),
    )  # fmt: skip

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    level: Mapped[int]
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    way_key: Mapped[str] = mapped_column(ForeignKey("way.key"))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime())
    due_on: Mapped[date]
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    ended_how: Mapped[str] = mapped_column(default="")
