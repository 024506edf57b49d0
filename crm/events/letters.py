"""What is mailed about an event: fields worded when a letter is handed over, and how it is queued.

A message carries no more than the number of its event, so that a letter that waited tells the time
and place as they are by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _
from sqlalchemy import (
    ColumnElement,
    Select,
    Uuid,
    cast,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import MergeField, Recipient
from crm.events.calendars import calendar_file
from crm.events.models import COUNTS, Answer, Event, Invitation
from crm.events.words import when_words, where_words
from crm.links.fields import link_address
from crm.links.tokens import issue
from crm.mail.content import shipped_version
from crm.mail.markdown import plain_text
from crm.mail.models import Message, MessageAttachment, MessageClass
from crm.mail.outbox import queue_many
from crm.web.moments import spoken

TOPIC = "events"
BATCH = 500
MOST_ABOUT = 600
Words = Callable[[Event, str], str]


def origin_of(event: Event, step: str = "") -> str:
    """What messages about an event say of where they come from; invitations have no step."""
    return f"event:{event.key}/{step}" if step else f"event:{event.key}"


def queue_each(
    session: Session,
    event: Event,
    condition: ColumnElement[bool],
    content: str,
    *,
    at: datetime,
    step: str = "",
    once: ColumnElement[Any] | str = "",
    message_class: MessageClass = MessageClass.IMMEDIATE,
    expires_at: datetime | None = None,
    priority: int = 50,
    calendar: bool = False,
) -> int:
    """Queue one letter to each invited person whom the condition on `Invitation` holds for.

    `once` makes the key: a second call with the same one adds nothing. With `calendar` each gets
    their own calendar file. Answers how many were new.
    """
    origin = origin_of(event, step)
    key = func.concat(literal(f"{origin}:"), once, literal(":"), Invitation.id)
    mine = Invitation.event_id == event.id, COUNTS, condition
    merge = literal({"event": str(event.id)}, JSONB)
    rows = select(Invitation.alumnus_id, key.label("key"), merge.label("merge")).where(*mine)
    new = queue_many(
        session, rows, message_class=message_class, at=at, origin=origin, topic_key=TOPIC,
        version_id=shipped_version(session, content, at), expires_at=expires_at, priority=priority,
    )  # fmt: skip
    if calendar and new:
        _attach(session, event, select(Invitation, Alumnus, key).where(*mine), key, at)
    return new


def _attach(
    session: Session,
    event: Event,
    rows: Select[*tuple[Any, ...]],
    key: ColumnElement[str],
    at: datetime,
) -> None:
    """Put a calendar file beside each of these messages that has none, some hundreds at a time."""
    message = cast(func.md5(key), Uuid)
    wanting = rows.add_columns(message).join(Alumnus, Alumnus.id == Invitation.alumnus_id)
    wanting = wanting.where(
        ~exists().where(MessageAttachment.message_id == message),
        exists().where(Message.id == message),
    ).order_by(Invitation.id)
    last = 0
    while found := session.execute(
        wanting.where(Invitation.id > last).limit(BATCH)  # each round begins after the last
    ).all():
        for invitation, person, _key, message_id in found:
            link = page_address(event, person, at=at)
            file = calendar_file(event, invitation.id, link=link, language=person.language, at=at)
            session.add(
                MessageAttachment(
                    message_id=message_id, name=file.name, media_type=file.media_type,
                    body=file.body,
                )
            )  # fmt: skip
            last = invitation.id
        session.flush()


def page_address(event: Event, person: Alumnus, *, at: datetime, purpose: str = "event") -> str:
    """The address of a person's page about an event, or of the code of their ticket."""
    token = issue(purpose, alumnus_id=person.id, epoch=person.link_epoch, at=at, subject=event.id)
    return link_address(purpose, token)


def _events(session: Session, recipients: Sequence[Recipient]) -> list[Event | None]:
    """The event that each message is about, in one query."""
    numbers = [_number(recipient) for recipient in recipients]
    wanted = {number for number in numbers if number}
    found = session.scalars(select(Event).where(Event.id.in_(wanted))) if wanted else ()
    events = {event.id: event for event in found}
    return [events.get(number) for number in numbers]


def _number(recipient: Recipient) -> int:
    text = str(recipient.merge.get("event", ""))
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _worded(words: Words) -> Callable[..., list[str]]:
    def values(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
        said: dict[tuple[int, str], str] = {}
        found = []
        for event, recipient in zip(_events(session, recipients), recipients, strict=True):
            if event is None:
                found.append("")
                continue
            place = event.id, spoken(recipient.language)
            if place not in said:
                with force_locale(place[1]):
                    said[place] = words(event, place[1])
            found.append(said[place])
        return found

    return values


def _about(event: Event, language: str) -> str:
    """The description in one line, the points of its lists set apart by dots."""
    lines = plain_text(event.text(language)["description"]).splitlines()
    told = [f"· {line.lstrip()[2:]}" if line.lstrip().startswith("- ") else line for line in lines]
    text = " ".join(" ".join(told).split())
    return text if len(text) <= MOST_ABOUT else text[:MOST_ABOUT].rsplit(" ", 1)[0] + " …"


def _where(event: Event, language: str) -> str:
    return where_words(event) or _("online")


def _links(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    return [
        link_address(
            "event",
            issue(
                "event", alumnus_id=r.alumnus_id, epoch=r.link_epoch, at=at, subject=_number(r),
                contact_point_id=r.contact_point_id, message_id=r.message_id,
            ),
        )
        if r.alumnus_id is not None and _number(r)
        else ""
        for r in recipients
    ]  # fmt: skip


def _joins(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    """How to join online: only for those who are coming at this moment."""
    pairs = [(_number(r), r.alumnus_id) for r in recipients if _number(r) and r.alumnus_id]
    coming = select(Invitation.event_id, Invitation.alumnus_id).where(
        tuple_(Invitation.event_id, Invitation.alumnus_id).in_(pairs),
        Invitation.answer == Answer.COMING,
    )
    allowed = {(row[0], row[1]) for row in session.execute(coming)} if pairs else set()
    found = []
    for event, recipient in zip(_events(session, recipients), recipients, strict=True):
        if event is None or not event.virtual_address:
            found.append("")
            continue
        with force_locale(spoken(recipient.language)):
            words = _("Join here: %(address)s", address=event.virtual_address)
        found.append(words if (event.id, recipient.alumnus_id) in allowed else "")
    return found


FIELDS = (
    MergeField(
        "event_link", lazy_gettext("Event: link to answer"), "https://…/event/…", _links,
        is_link=True,
    ),
    MergeField(
        "event_title", lazy_gettext("Event: title"), "Reunion of the class of 2015",
        _worded(lambda event, language: event.text(language)["title"]),
    ),
    MergeField(
        "event_when", lazy_gettext("Event: when"), "Saturday, June 12, 6:00 PM – 10:00 PM",
        _worded(when_words),
    ),
    MergeField("event_where", lazy_gettext("Event: where"), "Lincoln High", _worded(_where)),
    MergeField("event_about", lazy_gettext("Event: what it is"), "…", _worded(_about)),
    MergeField(
        "event_join", lazy_gettext("Event: how to join online, for those coming"),
        "https://…", _joins,
    ),
)  # fmt: skip
