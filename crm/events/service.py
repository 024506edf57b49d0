"""What staff do to an event: plan, change, open, close, call off, mark as held, tell and thank."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict, Invalid
from crm.core.keys import free_key
from crm.core.viewer import Viewer
from crm.events import letters
from crm.events.access import check_place
from crm.events.answers import fill
from crm.events.models import Event, EventState, Invitation
from crm.events.plan import Plan
from crm.events.queries import AHEAD, CAME, CONCERNED, taken
from crm.mail.models import MessageClass
from crm.mail.outbox import drop_queued

TO_KNOW = ("starts_at", "ends_at", "place", "address", "virtual_address")
"""What those coming must be told of when it changes."""


def create(session: Session, plan: Plan, *, by: Viewer, at: datetime) -> Event:
    """A new draft. Raises `Invalid` naming the field."""
    plan.check()
    check_place(session, by, plan.school_id, plan.cluster_id)
    title = next(text["title"] for text in plan.texts.values())
    title = plan.texts.get("en", {}).get("title", title)
    key = free_key(session, Event.key, title, otherwise="event")
    event = Event(
        key=key, state=EventState.DRAFT, created_by=by.user_id, created_at=at, updated_at=at,
        query="", audience=0, sequence=0, told=0, **plan.values(),
    )  # fmt: skip
    session.add(event)
    session.flush()
    audit.record(session, "event.created", kind="event", key=key, by=by, at=at)
    return event


def edit(session: Session, event: Event, plan: Plan, *, by: Viewer, at: datetime) -> None:
    """Change an event whose row is locked; more places let in who waits. Raises `Invalid`.

    A change of time or place of an event that people plan with counts up `sequence`: `tell` then
    tells them.
    """
    _must_be(event, EventState.DRAFT, *AHEAD)
    plan.check()
    new = plan.values()
    before = {name: getattr(event, name) for name in new}
    changed = {name for name in new if before[name] != new[name]}
    if not changed:
        return
    drafted = event.state is EventState.DRAFT
    if changed & {"school_id", "cluster_id"}:
        if not drafted:
            message = _("People were invited from there; this can no longer change.")
            raise Invalid(message, field="place_for")
        check_place(session, by, plan.school_id, plan.cluster_id)
    now, then = event.capacity, plan.capacity
    fewer = then is not None and (now is None or then < now)
    if fewer and (full := taken(session, event.id)) > (then or 0):
        message = _("%(count)s places are promised already.", count=full)
        raise Invalid(message, field="capacity")
    for name in changed:
        setattr(event, name, new[name])
    event.updated_at = at
    if not drafted and changed & set(TO_KNOW):
        event.sequence += 1
    audit.record(
        session, "event.changed", kind="event", key=event.key, by=by, at=at,
        before={name: _plain(before[name]) for name in sorted(changed)},
        after={name: _plain(new[name]) for name in sorted(changed)},
    )  # fmt: skip
    session.flush()
    fill(session, event, at=at)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _must_be(event: Event, *states: EventState) -> None:
    if event.state not in states:
        raise Conflict(_("The event has moved on; this is no longer possible."))


def _move(
    session: Session, event: Event, state: EventState, by: Viewer | None, at: datetime
) -> None:
    event.state, event.updated_at = state, at
    audit.record(session, f"event.{state}", kind="event", key=event.key, by=by, at=at)
    session.flush()


def open_event(session: Session, event: Event, *, by: Viewer, at: datetime) -> None:
    """Take answers: for the first time, or again after closing."""
    _must_be(event, EventState.DRAFT, EventState.CLOSED)
    if event.starts_at <= at:
        raise Conflict(_("It has begun already; there is nothing left to answer."))
    _move(session, event, EventState.OPEN, by, at)


def close(session: Session, event: Event, *, by: Viewer, at: datetime) -> None:
    """Take no more yes; who is coming may still say no, and the first in line moves up."""
    _must_be(event, EventState.OPEN)
    _move(session, event, EventState.CLOSED, by, at)


def cancel(session: Session, event: Event, *, by: Viewer, at: datetime) -> int:
    """Call it off: what waits to be mailed is dropped, who planned with it is told; how many."""
    _must_be(event, EventState.DRAFT, *AHEAD)
    drafted = event.state is EventState.DRAFT
    event.sequence += 1
    _move(session, event, EventState.CANCELLED, by, at)
    for step in ("", "coming", "place", "changed", "reminder"):
        drop_queued(session, origin=letters.origin_of(event, step), reason="stopped", at=at)
    event.told = event.sequence
    return 0 if drafted else _tell(session, event, "event-cancelled", "cancelled", at)


def tell(session: Session, event: Event, *, by: Viewer, at: datetime) -> int:
    """Tell those who plan with it of the new time or place, once for each change; how many."""
    _must_be(event, *AHEAD)
    if event.told >= event.sequence:
        raise Conflict(_("They know of the latest change already."))
    event.told = event.sequence
    audit.record(
        session, "event.told", kind="event", key=event.key, by=by, at=at, change=event.sequence
    )
    return _tell(session, event, "event-changed", "changed", at)


def _tell(session: Session, event: Event, content: str, step: str, at: datetime) -> int:
    return letters.queue_each(
        session, event, Invitation.answer.in_(CONCERNED), content, at=at, step=step,
        once=str(event.sequence), priority=90, calendar=True,
    )  # fmt: skip


def hold(session: Session, event: Event, *, by: Viewer | None, at: datetime) -> None:
    """It has taken place; who did not come shows on their invitation."""
    _must_be(event, *AHEAD)
    if event.starts_at > at:
        raise Conflict(_("It is still to come."))
    _move(session, event, EventState.HELD, by, at)


def thank(session: Session, event: Event, *, by: Viewer, at: datetime) -> int:
    """Thank those who came, each once, and ask whether they would help; how many letters."""
    _must_be(event, EventState.HELD)
    sent = letters.queue_each(
        session, event, CAME, "event-thanks", at=at, step="thanks",
        message_class=MessageClass.MARKETING,
    )  # fmt: skip
    audit.record(session, "event.thanked", kind="event", key=event.key, by=by, at=at, count=sent)
    session.flush()
    return sent
