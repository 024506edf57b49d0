"""What the public door keeps until somebody confirms, and what schools hang on their walls."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class JoinPending(Model):
    """What somebody wrote into a public form, until the mailed link confirms it.

    Nobody exists by it. `token_hash` is set when the letter is queued: the token itself stands in
    the letter alone. Once confirmed, `wish` and the address are emptied and `alumnus_id` is set.
    """

    __tablename__ = "join_pending"
    __table_args__ = (
        Index("uq_join_pending_token_hash", "token_hash", unique=True),
        Index(None, "email_key"),
        Index(None, "expires_at"),
        Index("ix_join_pending_new", "created_at", postgresql_where=text("mailed_at is null")),
    )

    id: Mapped[int] = identity()
    token_hash: Mapped[str | None]
    email: Mapped[str]
    email_key: Mapped[str]
    language: Mapped[str]
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    alumnus_id: Mapped[int | None] = mapped_column(ForeignKey("alumnus.id"))


class SchoolCode(Model):
    """The word in the address of a school's poster; a renewed one is kept, and says so."""

    __tablename__ = "school_code"
    __table_args__ = (
        Index(
            "uq_school_code_school_id", "school_id", unique=True,
            postgresql_where=text("retired_at is null"),
        ),
    )  # fmt: skip

    code: Mapped[str] = mapped_column(primary_key=True)
    school_id: Mapped[int] = mapped_column(ForeignKey("school.id"))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime())
    retired_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class NoteState(StrEnum):
    """What became of a word about a lost classmate."""

    INVITING = "inviting"
    OPEN = "open"
    DONE = "done"
    DISMISSED = "dismissed"


class ClassmateNote(Model):
    """Who a former pupil is looking for: with an address for our letter, else for the office.

    One with an address is deleted as soon as the letter was decided.
    """

    __tablename__ = "classmate_note"
    __table_args__ = (Index(None, "state", "created_at", "id"),)

    id: Mapped[int] = identity()
    name: Mapped[str]
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    class_year: Mapped[int | None] = mapped_column(BigInteger)
    email: Mapped[str] = mapped_column(default="")
    hint: Mapped[str] = mapped_column(default="")
    sender: Mapped[str]
    language: Mapped[str]
    state: Mapped[NoteState] = mapped_column(Choice(NoteState))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    ended_by: Mapped[int | None] = mapped_column(BigInteger)


class ClassmateInvited(Model):
    """That an address got a classmate's invitation: a keyed hash, for a year."""

    __tablename__ = "classmate_invited"

    address_hash: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
