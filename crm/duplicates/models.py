"""Pairs of records that may be one person, and merges with all that is needed to take them back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class PairState(StrEnum):
    """What was decided of a pair."""

    OPEN = "open"
    DIFFERENT = "different"
    MERGED = "merged"


class DuplicatePair(Model):
    """Two records, the lower id first, and the chance that they are one person.

    `import_id` names the import that brought one of them; `note` says why they are two people.
    """

    __tablename__ = "duplicate_pair"
    __table_args__ = (
        CheckConstraint("first_id < second_id", name="ordered"),
        Index(
            "ix_duplicate_pair_open", "probability", "first_id", "second_id",
            postgresql_where=text("state = 'open'"),
        ),
        Index(None, "second_id"),
        Index(
            "ix_duplicate_pair_import_id", "import_id",
            postgresql_where=text("import_id is not null"),
        ),
        Index(
            "ix_duplicate_pair_decided", "probability",
            postgresql_where=text("state <> 'open'"),
        ),
    )  # fmt: skip

    first_id: Mapped[int] = mapped_column(
        ForeignKey("alumnus.id", ondelete="cascade"), primary_key=True
    )
    second_id: Mapped[int] = mapped_column(
        ForeignKey("alumnus.id", ondelete="cascade"), primary_key=True
    )
    probability: Mapped[float]
    reasons: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    state: Mapped[PairState] = mapped_column(Choice(PairState))
    found_at: Mapped[datetime] = mapped_column(UTCDateTime())
    import_id: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))


class DuplicatePass(Model):
    """One look through people: whose, how many pairs, how long, and by which weights.

    `scope` is all, changed (since the pass before) or import (who came with one).
    """

    __tablename__ = "duplicate_pass"

    id: Mapped[int] = identity()
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    scope: Mapped[str]
    people: Mapped[int] = mapped_column(BigInteger)
    compared: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    model: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class Merge(Model):
    """One record made part of another: which rows followed, and which fields were filled.

    `moved`: table → ids of rows; `fields`: name → [before, after] of the record that stayed.
    """

    __tablename__ = "merge"
    __table_args__ = (Index(None, "kept_id"), Index(None, "gone_id"))

    id: Mapped[int] = identity()
    kept_id: Mapped[int] = mapped_column(BigInteger)
    gone_id: Mapped[int] = mapped_column(BigInteger)
    moved: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
