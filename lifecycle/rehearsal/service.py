"""Asks for rehearsals, and lives through them in the background."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select, update
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
    statement = update(Rehearsal).where(Rehearsal.id == rehearsal_id)
    session.execute(statement.values(ended_at=clock.now(), **values))
    session.commit()


class _Beat:
    """Says how far it is, on a connection of its own so that others see it."""

    def __init__(self, rehearsal_id: int) -> None:
        self.rehearsal_id = rehearsal_id
        self.noted = time.monotonic()

    def __call__(self, share: float) -> None:
        """So much of 1 is lived through."""
        if time.monotonic() - self.noted < EVERY:
            return
        self.noted = time.monotonic()
        statement = update(Rehearsal).where(Rehearsal.id == self.rehearsal_id)
        with db.engine.begin() as connection:
            connection.execute(statement.values(done=min(99, round(share * 100))))


def load(session: Session, rehearsal_id: int) -> Rehearsal:
    """A rehearsal by its number; `NotFound` otherwise."""
    found = session.get(Rehearsal, rehearsal_id)
    if found is None:
        raise NotFound(_("There is no such rehearsal."))
    return found
