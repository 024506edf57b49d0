"""Content and its versions, the outbox of messages, and what the provider said of each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity
from crm.core.months import monthly


class MessageClass(StrEnum):
    """How a message is treated: `immediate` is what somebody is waiting for (a code, a receipt)."""

    MARKETING = "marketing"
    ASK = "ask"
    IMMEDIATE = "immediate"


class MessageState(StrEnum):
    """Where a message stands on its one way through the outbox.

    queued → claimed → accepted (→ its delivery is told by events); claimed → uncertain when the
    outcome is unknown; uncertain → cancelling → queued through the batch fence; or skipped or
    failed, with reason.
    """

    QUEUED = "queued"
    CLAIMED = "claimed"
    UNCERTAIN = "uncertain"
    CANCELLING = "cancelling"
    ACCEPTED = "accepted"
    SKIPPED = "skipped"
    FAILED = "failed"


class Delivery(StrEnum):
    """The best the provider has told of an accepted message; never moves backwards."""

    NONE = "none"
    PROCESSED = "processed"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Content(Model):
    """Something that can be mailed, in versions and languages; `topic_key` is what it is about."""

    __tablename__ = "content"
    __table_args__ = (UniqueConstraint("key"),)

    id: Mapped[int] = identity()
    key: Mapped[str]
    name: Mapped[str]
    topic_key: Mapped[str | None] = mapped_column(ForeignKey("topic.key"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())


class ContentVersion(Model):
    """An immutable edition of a content, named `key@no`."""

    __tablename__ = "content_version"
    __table_args__ = (UniqueConstraint("content_id", "no"),)

    id: Mapped[int] = identity()
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id"))
    no: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))


class ContentVariant(Model):
    """One version in one language: a subject line and a Markdown body with merge fields."""

    __tablename__ = "content_variant"

    version_id: Mapped[int] = mapped_column(ForeignKey("content_version.id"), primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    preheader: Mapped[str] = mapped_column(default="")
    body: Mapped[str]


class Message(Model):
    """One e-mail to one person, decided once (`key` is unique) and sent at most once (law 1).

    The address and language are chosen when it is claimed. `origin` says who decided it
    (`campaign:KEY`, `journey:KEY/STEP`, `ask:ID`, `link:PURPOSE`); `merge` holds what the content
    needs beyond the person's own fields. `batch_id`, `attempt`, `send_at` carry the batch fence.
    Staff mail (a sign-in code) has no alumnus but a `to_address` from the start; a `language` given
    from the start is the one to prefer. `send_window` are hours of its own (`crm.mail.hours`), and
    `on_cap` says what it does where the contact budget is used up (None: wait).
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_message_due", "not_before", "id", postgresql_where=text("state = 'queued'")),
        Index(
            "ix_message_open_batch",
            "batch_id",
            postgresql_where=text("state in ('claimed', 'uncertain', 'cancelling')"),
        ),
        Index("ix_message_person", "alumnus_id", "accepted_at"),
        Index("ix_message_origin", "origin", "state"),
        Index(
            "ix_message_group",
            "version_id",
            "message_class",
            "priority",
            "not_before",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_message_address",
            "to_address",
            "origin",
            postgresql_where=text("to_address is not null"),
        ),
        Index(
            "ix_message_capped",
            "alumnus_id",
            postgresql_where=text("on_cap = 'exit' and state = 'skipped'"),
        ),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    alumnus_id: Mapped[int | None] = mapped_column(ForeignKey("alumnus.id"))
    to_address: Mapped[str | None]
    contact_point_id: Mapped[int | None] = mapped_column(BigInteger)
    message_class: Mapped[MessageClass] = mapped_column(Choice(MessageClass))
    topic_key: Mapped[str | None]
    origin: Mapped[str]
    version_id: Mapped[int] = mapped_column(ForeignKey("content_version.id"))
    language: Mapped[str | None]
    merge: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    priority: Mapped[int] = mapped_column(default=50)
    state: Mapped[MessageState] = mapped_column(Choice(MessageState), default=MessageState.QUEUED)
    reason: Mapped[str | None]
    queued_at: Mapped[datetime] = mapped_column(UTCDateTime())
    not_before: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    send_window: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    on_cap: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    batch_id: Mapped[str | None]
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    accepted_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    delivery: Mapped[Delivery] = mapped_column(Choice(Delivery), default=Delivery.NONE)
    delivered_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    clicked_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class SendAttempt(Model):
    """One hand-over of a message to the provider, and how it went."""

    __tablename__ = "send_attempt"
    __table_args__ = (
        Index(
            "ix_send_attempt_cancelled", "batch_id", postgresql_where=text("result = 'cancelled'")
        ),
    )

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    result: Mapped[str]


class DeliveryEvent(Model):
    """The provider's word about a message, verbatim; `dedupe_key` makes repeats harmless.

    The key is made of the moment `at`, among others: a repeat falls into the same month.
    """

    __tablename__ = "delivery_event"
    __table_args__ = (
        UniqueConstraint("dedupe_key", "at"), Index(None, "message_id", "at"), monthly("at"),
    )  # fmt: skip

    id: Mapped[int] = identity()
    dedupe_key: Mapped[str]
    message_id: Mapped[UUID | None]
    attempt: Mapped[int | None]
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime(), primary_key=True)
    machine: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime())


class MailboxBatch(Model):
    """What the mailbox transport was handed: one skeleton that its items fill in."""

    __tablename__ = "mailbox_batch"

    id: Mapped[int] = identity()
    batch_id: Mapped[str] = mapped_column(unique=True)
    sender: Mapped[str]
    subject: Mapped[str]
    html: Mapped[str]
    plain: Mapped[str]
    at: Mapped[datetime] = mapped_column(UTCDateTime())


class MailboxItem(Model):
    """One mail of a mailbox batch: its recipient, headers, substitutions and attachment."""

    __tablename__ = "mailbox_item"
    __table_args__ = (Index(None, "at", "id"), Index(None, "to_address"))

    id: Mapped[int] = identity()
    message_id: Mapped[UUID] = mapped_column(unique=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("mailbox_batch.id"))
    to_address: Mapped[str]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    substitutions: Mapped[dict[str, str]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class MessageAttachment(Model):
    """A file that goes with one message (a calendar invitation), kept from the day it is queued."""

    __tablename__ = "message_attachment"
    __table_args__ = (Index(None, "message_id"),)

    id: Mapped[int] = identity()
    message_id: Mapped[UUID]
    name: Mapped[str]
    media_type: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary)
