"""Saved, named queries that campaigns, journeys and exports use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class SegmentKind(StrEnum):
    """Whether a segment follows its query or keeps the people it had."""

    DYNAMIC = "dynamic"
    FROZEN = "frozen"


class Segment(Model):
    """A saved query; `segment:KEY` names it in other queries."""

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("key"),)

    id: Mapped[int] = identity()
    key: Mapped[str]
    name: Mapped[str]
    query: Mapped[str]
    kind: Mapped[SegmentKind] = mapped_column(Choice(SegmentKind), default=SegmentKind.DYNAMIC)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime())


class SegmentMember(Model):
    """A person whom a frozen segment keeps."""

    __tablename__ = "segment_member"
    __table_args__ = (Index(None, "alumnus_id"),)

    segment_id: Mapped[int] = mapped_column(ForeignKey("segment.id"), primary_key=True)
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"), primary_key=True)
