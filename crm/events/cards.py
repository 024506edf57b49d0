"""What events show elsewhere: what needs somebody today, a person's events, their own page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.events.access import visible_events
from crm.events.letters import page_address
from crm.events.models import COUNTS, Answer, Event, EventState, Invitation
from crm.events.queries import AHEAD, taken
from crm.events.words import ANSWERS, when_words, where_words
from crm.links.tokens import Claim
from crm.web.i18n import page_language

WEEK = timedelta(days=7)
RECENT = 10


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Events of this week, people in line, and changes that nobody was told of."""
    if not viewer.may(Permission.EVENTS_VIEW):
        return
    ahead = visible_events(viewer), Event.state.in_(AHEAD), Event.ends_at > at
    soon = _count(session, select(Event.id).where(*ahead, Event.starts_at <= at + WEEK))
    label = ngettext("event takes place this week", "events take place this week", soon)
    yield Todo(label, soon, url_for("events.index"), "info", 30)
    line = select(Invitation.id).join(Event, Event.id == Invitation.event_id)
    waiting = _count(session, line.where(*ahead, COUNTS, Invitation.answer == Answer.WAITING))
    label = ngettext("person waits for a place", "people wait for a place", waiting)
    yield Todo(label, waiting, url_for("events.index"), "warn", 31)
    if viewer.may(Permission.EVENTS_EDIT):
        untold = _count(session, select(Event.id).where(*ahead, Event.told < Event.sequence))
        label = ngettext(
            "change of an event to tell people of", "changes of events to tell people of", untold
        )
        yield Todo(label, untold, url_for("events.index"), "warn", 25)


def _count(session: Session, rows: Any) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """A person's latest events; those out of the viewer's reach are left out."""
    statement = (
        select(Invitation, Event)
        .join(Event, Event.id == Invitation.event_id)
        .where(Invitation.alumnus_id == alumnus.id, visible_events(viewer))
        .order_by(Event.starts_at.desc())
        .limit(RECENT)
    )
    rows = db.session.execute(statement).all()
    if not rows or not viewer.may(Permission.EVENTS_VIEW):
        return None
    return {"rows": rows, "answers": ANSWERS, "held": EventState.HELD}


def overbooked(session: Session, viewer: Viewer, kept_id: int, gone_id: int) -> Iterable[str]:
    """Events to come of which two records, apart again, hold more places than there are.

    A place that the merge freed was given to the next in line; all of them were told that they
    have one, so that nobody loses it.
    """
    theirs = select(Invitation.event_id).where(
        Invitation.alumnus_id.in_([kept_id, gone_id]), Invitation.answer == Answer.COMING
    )
    statement = select(Event).where(
        visible_events(viewer), Event.id.in_(theirs), Event.state.in_(AHEAD),
        Event.capacity.is_not(None),
    )  # fmt: skip
    for event in session.scalars(statement.order_by(Event.starts_at, Event.id)):
        places = taken(session, event.id)
        if event.capacity is not None and places > event.capacity:
            yield gettext(
                "%(event)s now has %(taken)s places promised and %(places)s to give: the one that "
                "the merge freed went to the next in line. Nobody's was taken away.",
                event=event.title, taken=places, places=event.capacity,
            )  # fmt: skip


def own_page(
    session: Session, alumnus: Alumnus, claim: Claim, at: datetime
) -> Mapping[str, Any] | None:
    """On a person's own page: the events to come that they are invited to."""
    statement = (
        select(Invitation, Event)
        .join(Event, Event.id == Invitation.event_id)
        .where(
            Invitation.alumnus_id == alumnus.id, Event.state.in_(AHEAD), Event.ends_at > at,
        )
        .order_by(Event.starts_at)
        .limit(RECENT)
    )  # fmt: skip
    language = page_language()
    rows = [
        {
            "title": event.text(language)["title"], "when": when_words(event, language),
            "where": where_words(event), "answer": ANSWERS[invitation.answer],
            "href": page_address(event, alumnus, at=at),
        }
        for invitation, event in session.execute(statement)
    ]  # fmt: skip
    return {"rows": rows} if rows else None
