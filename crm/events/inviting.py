"""Inviting an audience, each person once; reminding those who are coming."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import and_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.alumni.people import PersonLine, people_page
from crm.core.database import UTCDateTime, db
from crm.core.errors import Conflict
from crm.core.extend import QueryContext
from crm.core.viewer import Viewer
from crm.events import letters, queries, service
from crm.events.access import guests_of, lock_event
from crm.events.answers import fill, takes_yes
from crm.events.models import Answer, Event, Invitation
from crm.mail.models import MessageClass
from crm.query import Compiled, compile_query, count_up_to

DAY = timedelta(days=1)
LONGEST = timedelta(days=60)
SAMPLE = 5


@dataclass(frozen=True)
class Preview:
    """Whom an invitation would go to: how many (`more`: at least), how many of them are new."""

    query: str
    count: int
    more: bool
    new: int
    new_more: bool
    sample: tuple[PersonLine, ...]


@dataclass(frozen=True)
class Invited:
    """What inviting did: `new` people were invited, `already` had been before."""

    new: int
    already: int


def _audience(
    session: Session, event: Event, query: str, by: Viewer, at: datetime
) -> tuple[Compiled, Compiled]:
    """Everybody the query means within the place of the event, and those of them not invited."""
    context = QueryContext(session, guests_of(session, by, event), at)
    found = compile_query(query, context)
    invited = exists().where(Invitation.event_id == event.id, Invitation.alumnus_id == Alumnus.id)
    return found, found.narrowed(~invited)


def preview(session: Session, event: Event, query: str, *, by: Viewer, at: datetime) -> Preview:
    """Whom an invitation would go to. Raises `QueryError`."""
    found, new = _audience(session, event, query, by, at)
    count, more = count_up_to(session, found)
    fresh, fresh_more = count_up_to(session, new)
    sample = tuple(people_page(session, new, after=None, size=SAMPLE).items)
    return Preview(found.text, count, more, fresh, fresh_more, sample)


def invite(session: Session, event: Event, query: str, *, by: Viewer, at: datetime) -> Invited:
    """Invite everybody the query means who is not invited yet; the event's row is locked.

    Whom the send policy will not have mailed is invited all the same, and the message says why it
    did not go (law 4). Raises `QueryError`, and `Conflict` when nobody could answer.
    """
    if not takes_yes(event, at):
        raise Conflict(_("Open the event first, with a deadline that is still to come."))
    found, _new = _audience(session, event, query, by, at)
    people = found.ids.order_by(None).subquery()
    moment = literal(at, UTCDateTime())
    rows = select(
        literal(event.id).label("event_id"), people.c[0].label("alumnus_id"),
        moment.label("invited_at"), literal(Answer.NONE.value).label("answer"),
        literal(0).label("guests"), literal("").label("guest_names"), literal("").label("needs"),
        literal(0).label("came_guests"),
    )  # fmt: skip
    added = session.execute(
        insert(Invitation)
        .from_select([column.name for column in rows.selected_columns], rows, False)
        .on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    ).rowcount  # type: ignore[attr-defined]
    total = session.scalar(select(func.count()).select_from(people)) or 0
    event.audience += letters.queue_each(
        session, event, Invitation.invited_at == moment, "event-invitation", at=at,
        once="invitation", message_class=MessageClass.MARKETING,
        expires_at=event.answer_by or event.starts_at,
    )  # fmt: skip
    event.query = found.text
    audit.record(
        session, "event.invited", kind="event", key=event.key, by=by, at=at, query=found.text,
        new=added,
    )  # fmt: skip
    session.flush()
    return Invited(added, total - added)


def remind(session: Session, event: Event, at: datetime) -> int:
    """Remind those who are coming, if a reminder is due; answers how many letters are new.

    A reminder of so many days before is due from then until the next one; only who said yes before
    it was due gets it. Its key holds the beginning, so that a postponed event reminds anew.
    """
    due = [days for days in event.reminders if event.starts_at - days * DAY <= at]
    if not due or at >= event.starts_at:
        return 0
    days = min(due)
    since = event.starts_at - days * DAY
    once = f"{days}:{int(event.starts_at.timestamp())}"
    who = and_(Invitation.answer == Answer.COMING, Invitation.answered_at <= since)
    return letters.queue_each(
        session, event, who, "event-reminder", at=at, step="reminder", once=once, priority=80,
        message_class=MessageClass.MARKETING, expires_at=event.starts_at,
    )  # fmt: skip


def tick(at: datetime) -> int:
    """What time alone brings: reminders, freed places, events that are over; commits each event.

    Safe to run twice and from several workers. Answers how many letters it queued.
    """
    session, queued = db.session(), 0
    if not queries.pressing(session, at, LONGEST):
        session.commit()
        return queued
    for event in queries.due(session, at, LONGEST):
        locked = lock_event(session, event.id)
        # Places that nobody's answer freed: somebody was forgotten, or two records became one.
        queued += fill(session, locked, at=at) + remind(session, locked, at)
        session.commit()
    for event in queries.over(session, at):
        held = lock_event(session, event.id)
        if held.state in queries.AHEAD:
            service.hold(session, held, by=None, at=at)
        session.commit()
    return queued
