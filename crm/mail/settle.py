"""A person's decision about messages that no event has settled.

SMTP servers tell nothing afterwards, and a provider's event may never come. Only somebody who
looked into the server's log, or accepts a doubled letter, may decide; the program never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flask_babel import gettext
from sqlalchemy import String, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.mail.models import Content, ContentVersion, DeliveryEvent, Message, MessageState
from crm.mail.reasons import UNSETTLED

LATEST_EVENTS = 200
DECIDABLE = or_(
    Message.state == MessageState.UNCERTAIN,
    and_(Message.state == MessageState.CANCELLING, Message.reason == UNSETTLED),
)
"""What a person may decide about; not while the provider is being asked to take it back."""


class How(StrEnum):
    """What somebody found out or decided."""

    SENT = "sent"
    AGAIN = "again"


def settle(session: Session, how: How, *, name: str | None, by: Viewer, at: datetime) -> int:
    """Take messages in doubt as sent, or queue them again; answers how many.

    `name` is the id or key of one of them, or None for all. Raises `NotFound` if it is not one.
    """
    which = DECIDABLE
    if name is not None:
        plain = name.replace("\x00", "")
        which &= or_(Message.key == plain, cast(Message.id, String) == plain.lower())
    ids = list(session.scalars(select(Message.id).where(which).with_for_update(skip_locked=True)))
    if name is not None and not ids:
        raise NotFound("There is no message “%(called)s” whose fate is in doubt.", called=name[:80])
    values: dict[str, object] = {
        "state": MessageState.ACCEPTED, "accepted_at": at, "reason": None,
    }  # fmt: skip
    if how is How.AGAIN:
        values = {
            "state": MessageState.QUEUED, "not_before": at, "batch_id": None, "claimed_at": None,
            "send_at": None, "reason": None,
        }  # fmt: skip
    session.execute(
        update(Message).where(Message.id.in_(ids)).values(**values),
        execution_options={"synchronize_session": False},
    )
    if ids:
        audit.record(
            session, f"mail.settled_{how.value}", kind="message", key=name or "all", by=by, at=at,
            messages=len(ids),
        )  # fmt: skip
    return len(ids)


@dataclass(frozen=True)
class Doubt:
    """A message in doubt: what it is, why nobody knows, and whether a person may decide now."""

    message: Message
    name: str
    why: str
    decidable: bool


def in_doubt(session: Session, *, most: int = 200) -> list[Doubt]:
    """Messages in doubt, those that only a person can settle first, then the oldest."""
    states = [MessageState.UNCERTAIN, MessageState.CANCELLING]
    statement = (
        select(Message, Content.name)
        .join(ContentVersion, ContentVersion.id == Message.version_id)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(Message.state.in_(states))
        .order_by(Message.reason.is_(None), Message.claimed_at, Message.id)
        .limit(most)
    )
    rows: Sequence[tuple[Message, str]] = [(row[0], row[1]) for row in session.execute(statement)]
    told = _told_until(session) if rows else None
    return [Doubt(m, name, _why(m, told), _decidable(m)) for m, name in rows]


def to_decide(session: Session) -> int:
    """How many messages only a person can settle."""
    states = [MessageState.UNCERTAIN, MessageState.CANCELLING]
    left = Message.state.in_(states), Message.reason == UNSETTLED
    return int(session.scalar(select(func.count()).select_from(Message).where(*left)) or 0)


def _told_until(session: Session) -> datetime | None:
    """When the last message was handed over of which the provider has told anything."""
    latest = select(DeliveryEvent.message_id).order_by(DeliveryEvent.id.desc())
    some = latest.limit(LATEST_EVENTS).subquery()
    told = select(func.max(Message.claimed_at)).where(Message.id.in_(select(some.c.message_id)))
    return session.scalar(told)


def _decidable(message: Message) -> bool:
    return message.state is MessageState.UNCERTAIN or message.reason == UNSETTLED


def _why(message: Message, told_until: datetime | None) -> str:
    """Why nobody knows whether it went, and what speaks for either."""
    if message.reason != UNSETTLED:
        if message.state is MessageState.CANCELLING:
            return gettext("Being taken back from the provider")
        return gettext("No answer came. The provider may still tell; nothing needs to be done yet.")
    if message.state is MessageState.CANCELLING:
        why = gettext("It was being taken back, and nobody said whether in time.")
    else:
        why = gettext("No answer came, and nothing was told of it since.")
    if told_until is None or message.claimed_at is None:
        return why + " " + gettext("Look for its address in the log of the mail server.")
    if told_until > message.claimed_at:
        return why + " " + gettext("Of later mails it was, so most likely it did not go.")
    return why + " " + gettext("Nor of any later mail: check that the provider's events arrive.")
