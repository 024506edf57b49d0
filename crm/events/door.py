"""At the door: who is there. Attendance becomes an interaction, and can be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.access import visible_alumni
from crm.alumni.conditions import name_matches
from crm.alumni.models import Alumnus
from crm.alumni.names import fold
from crm.core.errors import Conflict
from crm.core.viewer import Viewer
from crm.events.models import Answer, Event, EventState, Invitation
from crm.events.plan import MOST_GUESTS
from crm.events.queries import CAME
from crm.interactions.models import Interaction, Mode
from crm.interactions.service import record

EARLIEST = timedelta(days=1)
KIND = "event_attended"
FOUND = 10


def check_in(
    session: Session, event: Event, alumnus_id: int, *, guests: int | None = None, by: Viewer,
    at: datetime,
) -> bool:  # fmt: skip
    """Note that somebody is there with so many guests (those they named, if nothing is said).

    Whoever was not invited walks in. False if they were noted before, and then nothing changes.
    """
    if event.state in {EventState.DRAFT, EventState.CANCELLED}:
        raise Conflict(_("Nobody can be checked in: the event is not open."))
    if at < event.starts_at - EARLIEST:
        raise Conflict(_("It is too early: check-in opens the day before."))
    session.execute(
        insert(Invitation)
        .values(event_id=event.id, alumnus_id=alumnus_id, answer=Answer.NONE)
        .on_conflict_do_nothing()
    )
    mine = _locked(session, event, alumnus_id)
    if mine is None or mine.came_at is not None:
        return False
    expected = mine.guests if mine.answer is Answer.COMING else 0
    mine.came_at, mine.checked_in_by = at, by.user_id
    mine.came_guests = expected if guests is None else max(0, min(guests, MOST_GUESTS))
    record(
        session, alumnus_id, occurred_at=min(at, event.starts_at), kind=KIND,
        mode=Mode.EXPERIENTIAL, dedupe_key=_dedupe(mine), school_id=event.school_id,
        origin=f"event:{event.key}", note=event.title,
    )  # fmt: skip
    _note(session, event, "event.checked_in", mine, by, at)
    return True


def undo(session: Session, event: Event, alumnus_id: int, *, by: Viewer, at: datetime) -> bool:
    """Take a check-in back, with its interaction; a walk-in leaves no trace but the audit's."""
    mine = _locked(session, event, alumnus_id)
    if mine is None or mine.came_at is None:
        return False
    mine.came_at, mine.checked_in_by, mine.came_guests = None, None, 0
    session.execute(delete(Interaction).where(Interaction.dedupe_key == _dedupe(mine)))
    _note(session, event, "event.check_in_undone", mine, by, at)
    if mine.invited_at is None and mine.answer is Answer.NONE:
        session.delete(mine)
        session.flush()
    return True


def _locked(session: Session, event: Event, alumnus_id: int) -> Invitation | None:
    statement = select(Invitation).where(
        Invitation.event_id == event.id, Invitation.alumnus_id == alumnus_id
    )
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).one_or_none()


def _dedupe(invitation: Invitation) -> str:
    return f"event:{invitation.event_id}:invitation:{invitation.id}"


def _note(
    session: Session, event: Event, action: str, mine: Invitation, by: Viewer, at: datetime
) -> None:
    audit.record(
        session, action, kind="event", key=event.key, by=by, at=at, alumnus_id=mine.alumnus_id
    )
    session.flush()


def others(session: Session, event: Event, viewer: Viewer, name: str) -> list[Alumnus]:
    """People of this name who are neither coming nor there: perhaps they walk in."""
    if not fold(name).split():
        return []
    known = select(Invitation.alumnus_id).where(
        Invitation.event_id == event.id, (Invitation.answer == Answer.COMING) | CAME
    )
    statement = select(Alumnus).where(
        visible_alumni(viewer), name_matches(name), Alumnus.id.not_in(known),
        Alumnus.deceased.is_(False),
    )  # fmt: skip
    return list(session.scalars(statement.order_by(Alumnus.sort_key, Alumnus.id).limit(FOUND)))
