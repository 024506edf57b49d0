"""Moves those who wait for a day of the school calendar when the calendar changes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import SmallInteger, cast, column, func, literal, select, update
from sqlalchemy.orm import Session

from lifecycle.journeys.models import IS_WAITING, Enrollment, JourneyVersion


def wake_those_who_wait(session: Session, at: datetime) -> None:
    """Let everybody at a `wait_until` be looked at by the next tick, which holds them anew."""
    steps = func.jsonb_array_elements(JourneyVersion.document["steps"])
    listed = steps.table_valued(
        column("value", JourneyVersion.document.type), with_ordinality="no", name="steps"
    ).render_derived()
    waits = (
        select(JourneyVersion.id, cast(listed.c.no - 1, SmallInteger).label("step_no"))
        .join(listed, literal(value=True))
        .where(listed.c.value["kind"].astext == "wait_until")
        .subquery("waits")
    )
    statement = update(Enrollment).where(
        Enrollment.version_id == waits.c.id, Enrollment.step_no == waits.c.step_no, IS_WAITING,
        Enrollment.wake_at > at,
    )  # fmt: skip
    session.execute(statement.values(wake_at=at), execution_options={"synchronize_session": False})
