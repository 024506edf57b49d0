"""Writes messages into the outbox, in the transaction that decides them (law 1).

The key names the decision; the id is made from the key, so that deciding twice writes one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import (
    Date,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.age import AgeRule, Outreach, adult_day, minor_on
from crm.consent.queries import address_key
from crm.core.district import chosen
from crm.core.errors import Invalid
from crm.mail import reasons
from crm.mail.hours import Hours
from crm.mail.models import Message, MessageAttachment, MessageClass, MessageState

MAX_ATTACHMENT = 5 * 1024 * 1024
LEEWAY = timedelta(days=1)
"""The day differs from place to place: who is 18 today somewhere is left to the hand-over."""


@dataclass(frozen=True)
class Attachment:
    """A file that goes with one message, such as a calendar invitation."""

    name: str
    media_type: str
    body: bytes


class How(TypedDict):
    """What the messages of one decision have in common."""

    message_class: MessageClass
    at: datetime
    origin: NotRequired[str | None]
    version_id: NotRequired[int | None]
    topic_key: NotRequired[str | None]
    priority: NotRequired[int]
    not_before: NotRequired[datetime | None]
    expires_at: NotRequired[datetime | None]
    window: NotRequired[Hours | None]
    on_cap: NotRequired[str | None]


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
    identity = message_id(key)
    values: dict[str, Any] = {
        "id": identity, "key": key, "alumnus_id": alumnus_id, "version_id": version_id,
        "message_class": message_class, "topic_key": topic_key, "origin": origin,
        "merge": dict(merge or {}), "priority": priority, "state": MessageState.QUEUED,
        "queued_at": at, "not_before": max(not_before or at, at), "expires_at": expires_at,
        "to_address": address_key(to_address) if to_address else None, "language": language,
    }  # fmt: skip
    session.flush()
    values |= _ended_at_once(session, alumnus_id, values, at)
    statement = insert(Message).values(values).on_conflict_do_nothing()
    new = session.execute(statement.returning(Message.id)).first() is not None
    if new and attachments:
        session.execute(plain_insert(MessageAttachment), _rows(identity, attachments))
    return identity


def _ended_at_once(
    session: Session, alumnus_id: int | None, values: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """How it ends at once for somebody too young for it; nothing for others."""
    if alumnus_id is None and values["to_address"] is None:
        raise Invalid("A message needs a person or an address.", field="to_address")
    if alumnus_id is None or not _too_young(session, alumnus_id, values):
        return {}
    return {"state": MessageState.SKIPPED, "reason": reasons.UNDER_AGE, "ended_at": at}


def _too_young(session: Session, alumnus_id: int, values: Mapping[str, Any]) -> bool:
    """Whether the person is under 18 when it may go at the earliest, and it is not for such."""
    kind = values["message_class"]
    rule = chosen(session, AgeRule)
    asks = kind is MessageClass.ASK
    if kind is MessageClass.IMMEDIATE or rule.allows(
        ask=asks, topic_key=values["topic_key"], origin=values["origin"]
    ):
        return False
    earliest = values["not_before"].date()
    young = minor_on(earliest - LEEWAY, margin_years=rule.margin_years)
    from_day = select(adult_day(margin_years=rule.margin_years)).where(
        Alumnus.id == alumnus_id, young
    )
    day = session.scalar(from_day)
    return day is not None and day > earliest + LEEWAY


def _rows(identity: UUID, attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    for attachment in attachments:
        if len(attachment.body) > MAX_ATTACHMENT:
            raise Invalid(
                "“%(called)s” is too large to send.", field="attachments", called=attachment.name
            )
    return [
        {
            "message_id": identity, "name": attachment.name,
            "media_type": attachment.media_type, "body": attachment.body,
        }
        for attachment in attachments
    ]  # fmt: skip


def queue_many(session: Session, rows: Select[Any], **how: Unpack[How]) -> int:
    """Queue one message for each row of a select, in one statement; answers how many were new."""
    statement = queueing(session, rows, **how)
    session.flush()
    done = session.execute(statement, execution_options={"preserve_rowcount": True})
    return int(done.rowcount)  # type: ignore[attr-defined]


def queueing(session: Session, rows: Select[Any], **how: Unpack[How]) -> Insert:
    """The statement of `queue_many`, to be run as a part of another.

    The select has columns `alumnus_id` and `key`, and may have any of `origin`, `version_id`,
    `topic_key`, `merge`, `priority`, `not_before`, `expires_at`; what it lacks comes from the
    keywords. `window` are hours of the messages' own, within the district's; an `on_cap` other
    than `defer` skips at once whom the contact budget stops. A column `skip_reason` that is not
    null writes the row as skipped from the start (a control group), so that every audience adds up.
    So is one for somebody who will be under 18 when it may go, unless the district lets it go.
    """
    message_class, at, window = how["message_class"], how["at"], how.get("window")
    default: dict[str, Any] = {
        "origin": how.get("origin"), "version_id": how.get("version_id"),
        "topic_key": how.get("topic_key"), "priority": how.get("priority", 50),
        "not_before": how.get("not_before") or at, "expires_at": how.get("expires_at"),
        "merge": {}, "send_window": window.plain() if window else None,
        "on_cap": how.get("on_cap"),
    }  # fmt: skip
    found = rows.subquery("found")
    rule = None if message_class is MessageClass.IMMEDIATE else chosen(session, AgeRule)
    young = _minors(rule, at) if rule else None
    columns = _message_columns(found, default, message_class, at)
    if rule is not None and young is not None:
        columns |= _skipped_if_young(columns, young, rule, message_class, at)
    picked = select(*(column.label(name) for name, column in columns.items()))
    if young is not None:
        picked = picked.select_from(found.outerjoin(young, young.c.id == found.c.alumnus_id))
    statement = insert(Message).from_select(list(columns), picked, include_defaults=False)
    return statement.on_conflict_do_nothing()


def _minors(rule: AgeRule, at: datetime) -> Subquery:
    """Who is under 18 now, with the day from which they are not: few rows beside an audience."""
    day = adult_day(margin_years=rule.margin_years)
    young = minor_on(at.date() - LEEWAY, margin_years=rule.margin_years)
    return select(Alumnus.id, day.label("adult_from")).where(young).subquery("young")


def _skipped_if_young(
    columns: dict[str, Any],
    young: Subquery,
    rule: AgeRule,
    message_class: MessageClass,
    at: datetime,
) -> dict[str, Any]:
    """The columns of a message that tell its end, for whom it must not go to for their age."""
    earliest = cast(func.timezone("UTC", columns["not_before"]), Date)
    barred = and_(
        columns["reason"].is_(None), young.c.adult_from > earliest + LEEWAY.days,
        ~_for_minors(columns, rule, message_class),
    )  # fmt: skip
    return {
        "state": case((barred, MessageState.SKIPPED.value), else_=columns["state"]),
        "reason": case((barred, reasons.UNDER_AGE), else_=columns["reason"]),
        "ended_at": case((barred, literal(at, Message.ended_at.type)), else_=columns["ended_at"]),
    }


def _for_minors(columns: dict[str, Any], rule: AgeRule, message_class: MessageClass) -> Any:
    """`AgeRule.allows` in SQL."""
    if message_class is MessageClass.ASK or rule.outreach is Outreach.NOTHING:
        return ~true()
    handover = func.split_part(columns["origin"], "/", 1).in_(rule.handover)
    if rule.outreach is Outreach.HANDOVER:
        return handover
    return or_(handover, func.coalesce(columns["topic_key"], "").in_(rule.topics))


def _message_columns(
    found: Subquery, default: dict[str, Any], message_class: MessageClass, at: datetime
) -> dict[str, Any]:
    """What each column of a message is for the rows of a select."""
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
        "reason": literal(None, Text()) if reason is None else reason,
        "queued_at": literal(at, moment),
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
