"""The mail of one person, each with what became of it in words; and the figures of all mail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_babel import format_date, gettext
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from crm.core.database import among
from crm.core.extend import Reference
from crm.mail.models import Content, ContentVersion, Delivery, Message, MessageState
from crm.mail.reasons import sentence

MOST_REASONS = 20
UUID_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def mail_of(alumnus_id: int) -> Select[Message, str]:
    """A person's messages with the name of the content, newest first."""
    return (
        select(Message, Content.name)
        .join(ContentVersion, ContentVersion.id == Message.version_id)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(Message.alumnus_id == alumnus_id)
        .order_by(Message.queued_at.desc(), Message.id)
    )


def _day(at: datetime) -> str:
    return str(format_date(at))  # type: ignore[no-untyped-call]


def fate(message: Message) -> str:
    """What became of a message, as half a sentence in the reader's language."""
    told = _by_delivery(message.delivery)
    if message.clicked_at is not None:
        return gettext("a link in it was followed on %(day)s", day=_day(message.clicked_at))
    match message.state:
        case MessageState.SKIPPED | MessageState.FAILED:
            return gettext("not sent: %(reason)s", reason=sentence(message.reason))
        case MessageState.QUEUED:
            return gettext("waits until %(day)s", day=_day(message.not_before))
        case MessageState.UNCERTAIN | MessageState.CANCELLING if message.reason is not None:
            return gettext("perhaps sent: %(reason)s", reason=sentence(message.reason))
        case MessageState.UNCERTAIN | MessageState.CANCELLING:
            return gettext("perhaps sent: the mail provider gave no clear answer yet")
        case MessageState.CLAIMED:
            return gettext("is being sent")
    return told


def _by_delivery(delivery: Delivery) -> str:
    match delivery:
        case Delivery.DELIVERED:
            return gettext("delivered")
        case Delivery.DROPPED:
            return gettext("the mail provider did not pass it on")
        case Delivery.BOUNCED:
            return gettext("came back as undeliverable")
        case Delivery.COMPLAINED:
            return gettext("was reported as spam")
        case Delivery.DEFERRED:
            return gettext("sent; their mail server asks us to wait")
    return gettext("sent")


def moment(message: Message) -> datetime:
    """When what became of it happened."""
    return message.accepted_at or message.ended_at or message.queued_at


def tone(message: Message) -> str:
    """The colour of its mark."""
    if message.state in {MessageState.SKIPPED, MessageState.FAILED}:
        return "quiet"
    if message.delivery in {Delivery.BOUNCED, Delivery.COMPLAINED, Delivery.DROPPED}:
        return "bad"
    if message.state is MessageState.ACCEPTED:
        return "good"
    return "info"


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """A line for each recent message: what became of it and why."""
    rows = session.execute(mail_of(alumnus_id).where(Message.queued_at <= at).limit(MOST_REASONS))
    for message, name in rows:
        day = _day(moment(message))
        yield gettext("“%(name)s” on %(day)s: %(fate)s.", name=name, day=day, fate=fate(message))


def counts(session: Session, at: datetime) -> Row[int, int, int, datetime]:
    """Messages that wait, are due, are in doubt, and since when the oldest is due."""
    queued = Message.state == MessageState.QUEUED
    due = queued & (Message.not_before <= at)
    doubt = Message.state.in_([MessageState.UNCERTAIN, MessageState.CANCELLING])
    open_states = [MessageState.QUEUED, MessageState.UNCERTAIN, MessageState.CANCELLING]
    return session.execute(
        select(
            func.count().filter(queued).label("waiting"),
            func.count().filter(due).label("due"),
            func.count().filter(doubt).label("doubt"),
            func.min(Message.not_before).filter(due).label("since"),
        ).where(Message.state.in_(open_states))
    ).one()


def letters_named(session: Session, keys: Sequence[str]) -> dict[str, Reference]:
    """Messages by the name of what they said."""
    ids = [UUID(key) for key in keys if UUID_FORM.fullmatch(key)]
    rows = session.execute(
        select(Message.id, Content.name)
        .join(ContentVersion, ContentVersion.id == Message.version_id)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(among(Message.id, ids))
    )
    return {str(i): Reference(gettext("the mail “%(name)s”", name=name)) for i, name in rows}


def timeline(rows: Iterable[Row[Message, str]]) -> list[Mapping[str, Any]]:
    """Entries for the timeline of a person's mail."""
    return [
        {
            "when": _day(moment(message)), "title": name, "text": fate(message),
            "tone": tone(message), "href": None,
        }
        for message, name in rows
    ]  # fmt: skip
