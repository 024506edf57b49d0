"""What happened between us and an alumnus, in one of CASE's four modes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class Mode(StrEnum):
    """CASE Alumni Engagement Metrics: the four modes in which people engage."""

    VOLUNTEER = "volunteer"
    EXPERIENTIAL = "experiential"
    PHILANTHROPIC = "philanthropic"
    COMMUNICATION = "communication"


class Interaction(Model):
    """One thing that happened: a talk given, a reply, an RSVP, a gift, a click by a person.

    `machine` marks what a scanner or prefetcher did; such rows never count (law 9). `dedupe_key`
    makes recording the same thing twice harmless. `hours` and `amount` (district currency) are
    optional.
    """

    __tablename__ = "interaction"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        # With the mark of machines in them, who did what and when is read from these alone.
        Index(None, "alumnus_id", "occurred_at", postgresql_include=["machine"]),
        Index(None, "kind", "alumnus_id", "occurred_at", postgresql_include=["machine"]),
        Index(
            "ix_interaction_given",
            "alumnus_id",
            "occurred_at",
            postgresql_where=text("mode = 'volunteer' and not machine"),
        ),
        # Everybody's deeds are grouped from this alone (segments.targeting.histories).
        Index(
            "ix_interaction_deeds",
            "alumnus_id",
            "occurred_at",
            postgresql_include=["kind", "mode", "hours", "amount"],
            postgresql_where=text("mode <> 'communication' and not machine"),
        ),
        Index(None, "school_id", "occurred_at", postgresql_where=text("school_id is not null")),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime())
    kind: Mapped[str]
    mode: Mapped[Mode] = mapped_column(Choice(Mode))
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    hours: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    pupils: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="")
    origin: Mapped[str] = mapped_column(default="")
    machine: Mapped[bool] = mapped_column(default=False)
    dedupe_key: Mapped[str]
