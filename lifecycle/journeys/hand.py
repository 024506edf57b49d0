"""Letting one person into a journey by hand: past its entry query, not past its other rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.core.errors import Conflict
from crm.core.viewer import Viewer
from lifecycle.journeys.entering import let_in
from lifecycle.journeys.entry import entry_key, kept_out
from lifecycle.journeys.models import Journey, JourneyState
from lifecycle.journeys.queries import document_of, live_version, load_journey

HAND = "hand"
WHY = {
    "deceased": "This person died.",
    "exit": "The exit rule of the journey means this person.",
    "been": "This person is in the journey, or was and may not enter again.",
}


def enter_by_hand(
    session: Session, key: str, alumnus_id: int, *, by: Viewer, at: datetime
) -> Journey:
    """Let a person in; raises `Conflict` with the reason why they may not enter."""
    journey = load_journey(session, key, lock=True)
    version = live_version(session, journey)
    if version is None or journey.state is not JourneyState.LIVE:
        raise Conflict("The journey “%(key)s” takes nobody in now.", key=journey.key)
    document = document_of(version)
    why = kept_out(session, document, journey_id=journey.id, at=at)
    name = entry_key(document, journey_id=journey.id, at=at)
    mine: Any = Alumnus.id == alumnus_id
    reason = session.scalar(select(why).where(mine))
    who = select(Alumnus.id.label("alumnus_id"), name.label("entry_key")).where(mine)
    if reason is None:
        new = let_in(session, version, document, at, who, origin=HAND, by_hand=True)
        reason = None if new else "been"
    if reason is not None:
        raise Conflict(WHY[reason])
    audit.record(
        session, "entered", kind="journey", key=journey.key, by=by, at=at, alumnus_id=alumnus_id
    )
    session.flush()
    return journey
