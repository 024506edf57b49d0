"""A journey published and what came of its steps."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, Journey, StepRun

DAY = timedelta(days=1)


def head(key: str, when: str = "class:2026") -> str:
    return f"journey: {key}\nname: {key}\nserves: A goal\nenter: {when}\nsteps:\n"


def publish(session: Session, text: str, at: datetime) -> Journey:
    done = service.publish(session, text, name="x.yaml", by=SYSTEM, at=at)
    session.commit()
    return done.journey


def outcomes(session: Session, key: str) -> dict[int, list[tuple[str, str | None]]]:
    """Each person's outcomes and reasons in a journey."""
    statement = (
        select(Enrollment.alumnus_id, StepRun.outcome, StepRun.reason)
        .join(Enrollment, Enrollment.id == StepRun.enrollment_id)
        .join(Journey, Journey.id == Enrollment.journey_id)
        .where(Journey.key == key)
        .order_by(StepRun.seq)
    )
    found: dict[int, list[tuple[str, str | None]]] = {}
    for person, outcome, reason in session.execute(statement):
        found.setdefault(person, []).append((outcome, reason))
    return found
