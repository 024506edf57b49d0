"""The district's tree: clusters and their schools."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class SchoolLevel(StrEnum):
    """The grades a school serves."""

    ELEMENTARY = "elementary"
    MIDDLE = "middle"
    HIGH = "high"
    OTHER = "other"


class SchoolStatus(StrEnum):
    """Whether a school still takes pupils; a closed one keeps its alumni."""

    OPEN = "open"
    CLOSED = "closed"


class Cluster(Model):
    """A high school and the schools that feed it, under one liaison."""

    __tablename__ = "cluster"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = identity()
    name: Mapped[str]


class School(Model):
    """A school; its NCES id (12 digits, text) is the key that files agree on."""

    __tablename__ = "school"
    __table_args__ = (UniqueConstraint("nces_id"), Index(None, "cluster_id"))

    id: Mapped[int] = identity()
    nces_id: Mapped[str | None]
    name: Mapped[str]
    level: Mapped[SchoolLevel] = mapped_column(Choice(SchoolLevel), default=SchoolLevel.HIGH)
    status: Mapped[SchoolStatus] = mapped_column(Choice(SchoolStatus), default=SchoolStatus.OPEN)
    cluster_id: Mapped[int | None] = mapped_column(ForeignKey("cluster.id"))
    street: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    postal_code: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(default="America/New_York")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())


class ChangeKind(StrEnum):
    """What became of a school on a day."""

    RENAMED = "renamed"
    MOVED = "moved"
    MERGED = "merged"
    SPLIT = "split"
    CLOSED = "closed"


class SchoolChange(Model):
    """A change of a school from a day on; the lineage, old names and old clusters follow from it.

    `other_id` is the successor (merged, split); `before` and `after` hold the name (renamed), the
    cluster's id (moved) or the status (merged, closed). One that was taken back counts no more.
    """

    __tablename__ = "school_change"
    __table_args__ = (Index(None, "school_id"), Index(None, "other_id"))

    id: Mapped[int] = identity()
    school_id: Mapped[int] = mapped_column(ForeignKey("school.id"))
    kind: Mapped[ChangeKind] = mapped_column(Choice(ChangeKind))
    on_day: Mapped[date]
    other_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    before: Mapped[Any] = mapped_column(JSONB)
    after: Mapped[Any] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    by: Mapped[int | None] = mapped_column(BigInteger)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class SchoolAlias(Model):
    """Another way files name a school: `kind` is name, code (local number) or nces."""

    __tablename__ = "school_alias"
    __table_args__ = (UniqueConstraint("kind", "key"), Index(None, "school_id"))

    id: Mapped[int] = identity()
    school_id: Mapped[int] = mapped_column(ForeignKey("school.id"))
    kind: Mapped[str]
    key: Mapped[str]
