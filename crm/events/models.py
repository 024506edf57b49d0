"""Reunions, talks and meetings, and each person's invitation: what they answered, if they came."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, exists, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, aliased, mapped_column

from crm.alumni.models import Alumnus
from crm.core.database import Choice, Model, UTCDateTime, identity


class EventKind(StrEnum):
    """What sort of event it is."""

    REUNION = "reunion"
    TALK = "talk"
    VIRTUAL = "virtual"
    OTHER = "other"


class EventState(StrEnum):
    """The life of an event: draft → open ⇄ closed → held, or cancelled.

    `open` takes answers; `closed` takes only a no, and fewer guests; `held` and `cancelled` none.
    """

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    HELD = "held"
    CANCELLED = "cancelled"


class Answer(StrEnum):
    """Where an invited person stands. Only `coming` takes places; `waiting` stands in line."""

    NONE = "none"
    COMING = "coming"
    WAITING = "waiting"
    MAYBE = "maybe"
    DECLINED = "declined"


class Event(Model):
    """An event of the district, a cluster or a school; its people come from there (law 8).

    `texts` holds title and description (Markdown) by language. `sequence` counts what those coming
    must know of (time, place, called off) and is the SEQUENCE of calendar files; `told` is the
    number that they were last told of. `audience` is how many invitations were mailed or skipped
    with a reason (law 4). No `capacity`: room for all. `reminders` are days before the beginning.
    """

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("school_id is null or cluster_id is null", name="one_place"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("capacity > 0 and guests_allowed >= 0", name="sizes"),
        Index(None, "starts_at", "id"),
        Index(None, "school_id", postgresql_where=text("school_id is not null")),
        Index(None, "cluster_id", postgresql_where=text("cluster_id is not null")),
    )

    id: Mapped[int] = identity()
    key: Mapped[str]
    kind: Mapped[EventKind] = mapped_column(Choice(EventKind))
    state: Mapped[EventState] = mapped_column(Choice(EventState), default=EventState.DRAFT)
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    cluster_id: Mapped[int | None] = mapped_column(ForeignKey("cluster.id"))
    texts: Mapped[dict[str, dict[str, str]]] = mapped_column(JSONB)
    place: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    virtual_address: Mapped[str] = mapped_column(default="")
    time_zone: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime())
    answer_by: Mapped[datetime | None] = mapped_column(UTCDateTime())
    capacity: Mapped[int | None]
    guests_allowed: Mapped[int] = mapped_column(default=0)
    reminders: Mapped[list[int]] = mapped_column(JSONB)
    query: Mapped[str] = mapped_column(default="")
    audience: Mapped[int] = mapped_column(default=0)
    sequence: Mapped[int] = mapped_column(default=0)
    told: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime())

    def text(self, language: str) -> dict[str, str]:
        """Title and description in a language, else in English, else in any."""
        known = self.texts.get(language.partition("-")[0]) or self.texts.get("en")
        return known or next(iter(self.texts.values()), {"title": self.key, "description": ""})

    @property
    def title(self) -> str:
        """What staff call it: its English title, or that of any language."""
        return self.text("en")["title"]


class Invitation(Model):
    """One person and one event: invited (or walked in: no `invited_at`), answered, came.

    `in_line_since` orders the waiting list, with `id`. A party is the person and `guests`.
    `came_guests` is how many of them were there. What is noted of guests and needs is for the door
    and is forgotten with the person.
    """

    __tablename__ = "event_invitation"
    __table_args__ = (
        UniqueConstraint("event_id", "alumnus_id"),
        CheckConstraint("guests >= 0 and came_guests >= 0", name="guests"),
        Index(None, "alumnus_id"),
        Index(None, "event_id", "answer"),
        Index("ix_event_invitation_came", "event_id", postgresql_where=text("came_at is not null")),
    )

    id: Mapped[int] = identity()
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    invited_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    answer: Mapped[Answer] = mapped_column(Choice(Answer), default=Answer.NONE)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    in_line_since: Mapped[datetime | None] = mapped_column(UTCDateTime())
    placed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    guests: Mapped[int] = mapped_column(default=0)
    guest_names: Mapped[str] = mapped_column(default="")
    needs: Mapped[str] = mapped_column(default="")
    came_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    came_guests: Mapped[int] = mapped_column(default=0)
    checked_in_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    @property
    def party(self) -> int:
        """How many places a yes takes."""
        return 1 + self.guests


_GONE = aliased(Alumnus)
COUNTS = ~exists().where(
    _GONE.id == Invitation.alumnus_id,
    _GONE.merged_into_id.is_not(None), _GONE.merged_into_id != _GONE.id,
)  # fmt: skip
"""Not an invitation that a merge left behind: the person has another one, which counts."""
