"""Writes messages into the outbox, in the transaction that decides them (law 1).

The key names the decision; the id is made from the key, so that deciding twice writes one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, case, cast, func, literal, null, select, update
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from crm.consent.queries import address_key
from crm.core.errors import Invalid
from crm.mail.models import Message, MessageAttachment, MessageClass, MessageState

MAX_ATTACHMENT = 5 * 1024 * 1024


@dataclass(frozen=True)
class Attachment:
    """A file that goes with one message, such as a calendar invitation."""

    name: str
    media_type: str
    body: bytes


def message_id(key: str) -> UUID:
    """The id of the message with this key; the same as `md5(key)::uuid` in SQL."""
    return UUID(bytes=hashlib.md5(key.encode(), usedforsecurity=False).digest())


def queue_message(
    session: Session,
    *,
    key: str,
    alumnus_id: int | None,
    version_id: int,
    message_class: MessageClass,
    topic_key: str | None,
    origin: str,
    at: datetime,
    merge: Mapping[str, Any] | None = None,
    priority: int = 50,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    to_address: str | None = None,
    language: str | None = None,
    attachments: Sequence[Attachment] = (),
) -> UUID:
    """Queue one message and answer its id; a key that was queued before changes nothing.

    `to_address` sends to that address instead of the person's own one (a code for a new address),
    and is needed when there is no alumnus (mail to staff). `language` is the language to prefer.
    A higher `priority` goes first when the contact budget does not suffice for all.
    """
    if alumnus_id is None and to_address is None:
        raise Invalid("A message needs a person or an address.", field="to_address")
    identity = message_id(key)
    values: dict[str, Any] = {
        "id": identity, "key": key, "alumnus_id": alumnus_id, "version_id": version_id,
        "message_class": message_class, "topic_key": topic_key, "origin": origin,
        "merge": dict(merge or {}), "priority": priority, "state": MessageState.QUEUED,
        "queued_at": at, "not_before": max(not_before or at, at), "expires_at": expires_at,
        "to_address": address_key(to_address) if to_address else None, "language": language,
    }  # fmt: skip
    session.flush()
    statement = insert(Message).values(values).on_conflict_do_nothing()
    new = session.execute(statement.returning(Message.id)).first() is not None
    if new and attachments:
        session.execute(plain_insert(MessageAttachment), _rows(identity, attachments))
    return identity


def _rows(identity: UUID, attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    for attachment in attachments:
        if len(attachment.body) > MAX_ATTACHMENT:
            raise Invalid(f"“{attachment.name}” is too large to send.", field="attachments")
    return [
        {
            "message_id": identity, "name": attachment.name,
            "media_type": attachment.media_type, "body": attachment.body,
        }
        for attachment in attachments
    ]  # fmt: skip


def queue_many(
    session: Session,
    rows: Select[Any],
    *,
    message_class: MessageClass,
    at: datetime,
    origin: str | None = None,
    version_id: int | None = None,
    topic_key: str | None = None,
    priority: int = 50,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> int:
    """Queue one message for each row of a select, in one statement; answers how many were new.

    The select has columns `alumnus_id` and `key`, and may have any of `origin`, `version_id`,
    `topic_key`, `merge`, `priority`, `not_before`, `expires_at`; what it lacks comes from the
    keywords. A column `skip_reason` that is not null writes the row as skipped from the start
    (a control group), so that every audience adds up.
    """
    default: dict[str, Any] = {
        "origin": origin, "version_id": version_id, "topic_key": topic_key, "priority": priority,
        "not_before": not_before or at, "expires_at": expires_at, "merge": {},
    }  # fmt: skip
    columns = _message_columns(rows, default, message_class, at)
    session.flush()
    chosen = select(*(column.label(name) for name, column in columns.items()))
    statement = insert(Message).from_select(list(columns), chosen, include_defaults=False)
    done = session.execute(
        statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True}
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def _message_columns(
    rows: Select[Any], default: dict[str, Any], message_class: MessageClass, at: datetime
) -> dict[str, Any]:
    """What each column of a message is for the rows of a select."""
    found = rows.subquery("found")
    moment = Message.queued_at.type
    columns: dict[str, Any] = {"alumnus_id": found.c.alumnus_id, "key": found.c.key}
    for name, value in default.items():
        given = found.c.get(name)
        columns[name] = literal(value, getattr(Message, name).type) if given is None else given
    columns["merge"] = func.coalesce(cast(columns["merge"], JSONB), cast({}, JSONB))
    columns["not_before"] = func.greatest(columns["not_before"], literal(at, moment))
    reason = found.c.get("skip_reason")
    skipped = literal(value=False) if reason is None else reason.is_not(None)
    return columns | {
        "id": cast(func.md5(found.c.key), Uuid),
        "message_class": literal(message_class, Message.message_class.type),
        "state": case((skipped, MessageState.SKIPPED.value), else_=MessageState.QUEUED.value),
        "reason": null() if reason is None else reason, "queued_at": literal(at, moment),
        "ended_at": case((skipped, literal(at, moment)), else_=None),
        "attempt": literal(0), "delivery": literal("none"),
    }  # fmt: skip


def drop_queued(session: Session, *, origin: str, reason: str, at: datetime) -> int:
    """End what still waits of one origin (a stopped campaign); answers how many messages."""
    statement = update(Message).where(
        Message.origin == origin, Message.state == MessageState.QUEUED
    )
    ended = statement.values(state=MessageState.SKIPPED, reason=reason, ended_at=at)
    return len(session.execute(ended.returning(Message.id)).all())
