"""Asks for rehearsals, and lives through them in the background."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, HomecomingError, NotFound
from crm.core.jobs import jobs
from crm.core.viewer import Viewer
from lifecycle.journeys import service as journeys
from lifecycle.journeys.queries import find_journey, load_journey
from lifecycle.rehearsal.models import Rehearsal, RehearsalState
from lifecycle.rehearsal.running import Order, rehearse

JOB = "rehearsal.run"
PATIENCE = timedelta(hours=2)
"""So long at most another rehearsal keeps one from beginning: its worker may have died."""
EVERY = 1.0
WENT_WRONG = "Something went wrong on our side. Start it again."


def ask(
    session: Session, order: Order, *, name: str = "journey.yaml", by: Viewer, at: datetime
) -> Rehearsal:
    """Have something rehearsed in the background, one at a time; a draft is checked first.

    Raises `Conflict` while another is under way, `Refused` for a draft that cannot be published.
    """
    under_way = select(Rehearsal.id).where(
        Rehearsal.state == RehearsalState.RUNNING, Rehearsal.asked_at > at - PATIENCE
    )
    if session.scalar(under_way.limit(1)) is not None:
        raise Conflict(_("Another rehearsal is under way. Wait until it is over."))
    key = order.journey
    if order.draft is not None:
        key = journeys.check(session, order.draft, name=name, at=at).document.journey
        journey = find_journey(session, key)
    else:
        journey = load_journey(session, key) if key is not None else None
    found = Rehearsal(
        journey_key=key, version_id=journey.live_version_id if journey else None,
        draft=order.draft, months=order.months, people=order.people, runs=order.runs,
        state=RehearsalState.RUNNING, done=0, asked_by=by.user_id, asked_at=at,
    )  # fmt: skip
    session.add(found)
    session.flush()
    audit.record(
        session, "rehearsal.asked", kind="rehearsal", key=found.id, by=by, at=at,
        journey=key or "", months=order.months,
    )  # fmt: skip
    jobs(current_app).enqueue(session, JOB, rehearsal_id=found.id)
    return found


def cancel(session: Session, rehearsal_id: int, *, by: Viewer, at: datetime) -> Rehearsal:
    """Stop one that is under way; whoever lives through it notices within a day or two of it.

    Raises `Conflict` if it is over, `NotFound` if there is none.
    """
    found = load(session, rehearsal_id)
    session.refresh(found, with_for_update=True)
    if found.state is not RehearsalState.RUNNING:
        raise Conflict(_("This rehearsal is over already."))
    found.state, found.ended_at = RehearsalState.CANCELLED, at
    session.flush()
    audit.record(session, "rehearsal.cancelled", kind="rehearsal", key=found.id, by=by, at=at)
    return found


def run(rehearsal_id: int) -> None:
    """Live through a rehearsal and keep what came of it; safe to run again after a crash."""
    session, at = db.session(), clock.now()
    found = session.get(Rehearsal, rehearsal_id)
    if found is None or found.state is not RehearsalState.RUNNING:
        return
    order = Order(found.journey_key, found.months, found.people, found.runs, draft=found.draft)
    session.commit()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        came = rehearse(app, order, at, _Beat(rehearsal_id))
    except Cancelled:
        session.rollback()
        return
    except HomecomingError as error:
        _end(session, rehearsal_id, state=RehearsalState.FAILED, error=str(error)[:2000])
        return
    except Exception:
        session.rollback()
        _end(session, rehearsal_id, state=RehearsalState.FAILED, error=WENT_WRONG)
        raise
    result = {**came.result, "most": [list(one) for one in came.most]}
    _end(session, rehearsal_id, state=RehearsalState.READY, result=result, done=100)


def _end(session: Session, rehearsal_id: int, **values: object) -> None:
    session.execute(_under_way(rehearsal_id).values(ended_at=clock.now(), **values))
    session.commit()


def _under_way(rehearsal_id: int) -> Update:
    return update(Rehearsal).where(
        Rehearsal.id == rehearsal_id, Rehearsal.state == RehearsalState.RUNNING
    )


class Cancelled(Exception):
    """Somebody stopped the rehearsal."""


class _Beat:
    """Says how far it is, on a connection of its own so that others see it.

    Raises `Cancelled` where somebody stopped it.
    """

    def __init__(self, rehearsal_id: int) -> None:
        self.rehearsal_id = rehearsal_id
        self.noted = time.monotonic()

    def __call__(self, share: float) -> None:
        """So much of 1 is lived through."""
        if time.monotonic() - self.noted < EVERY:
            return
        self.noted = time.monotonic()
        told = _under_way(self.rehearsal_id).values(done=min(99, round(share * 100)))
        with db.engine.begin() as connection:
            if connection.execute(told.returning(Rehearsal.id)).first() is None:
                raise Cancelled


def load(session: Session, rehearsal_id: int) -> Rehearsal:
    """A rehearsal by its number; `NotFound` otherwise."""
    found = session.get(Rehearsal, rehearsal_id)
    if found is None:
        raise NotFound(_("There is no such rehearsal."))
    return found
