"""One full tick: changes in, people on, campaigns out; each batch a transaction of its own.

Safe to run twice, to kill at any instant and to run from several workers at once: rows say what is
due, claims skip what others hold, and the keys of log and outbox stop any second run of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import column, func, select, true
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import extensions
from lifecycle.campaigns.service import start_due
from lifecycle.engine.groups import Group
from lifecycle.engine.intake import (
    changes_wait,
    clear_stopped,
    follow_changes,
    journeys_wait,
    meet_everybody,
)
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.runner import Runner
from lifecycle.engine.taking_over import take_over
from lifecycle.journeys.models import (
    IS_WAITING,
    Enrollment,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.queries import document_of

HOPS = 20
"""How many steps without time between them one tick takes anybody."""


def advance(at: datetime) -> AdvanceReport:
    """Work off everything that is due at the moment; commits batch by batch."""
    session, report = db.session(), AdvanceReport()
    if changes_wait(session, at):
        follow_changes(session, at, report)
    if journeys_wait(session, at):
        meet_everybody(session, at, report)
        clear_stopped(session, at, report)
    take_over(session, at, report)
    faulty: set[tuple[int, int]] = set()
    for _ in range(HOPS):
        if not step_all(session, at, report, faulty):
            break
    session.commit()
    report.started, queued = start_due(session, at)
    report.queued += queued + sum(area(at) for area in extensions().ticks)
    return report


def step_all(
    session: Session, at: datetime, report: AdvanceReport, faulty: set[tuple[int, int]]
) -> int:
    """Run every step that somebody is due at, once through; answers how many people it moved.

    Steps that turn out `faulty` are noted there, and not tried again with the same set.
    """
    before = report.stepped + report.stuck + report.ended
    for version_id, step_no in due_groups(session, at):
        version = session.get(JourneyVersion, version_id)
        if version is not None and (version_id, step_no) not in faulty:
            group = Group(version, document_of(version), step_no)
            if not Runner(session, group, at, report).run():
                faulty.add((version_id, step_no))
    return report.stepped + report.stuck + report.ended - before


def due_groups(session: Session, at: datetime) -> Sequence[tuple[int, int]]:
    """The steps of live journeys at which somebody is due: one probe of the index for each."""
    numbers = func.generate_series(0, JourneyVersion.steps - 1)
    steps = numbers.table_valued(column("no")).render_derived(name="steps")
    # The order costs nothing in the index and keeps the planner from reading the table instead.
    somebody = (
        select(Enrollment.wake_at)
        .where(
            Enrollment.version_id == JourneyVersion.id,
            Enrollment.step_no == steps.c.no,
            IS_WAITING,
            Enrollment.wake_at <= at,
        )
        .order_by(Enrollment.wake_at)
        .limit(1)
        .lateral("somebody")
    )
    statement = (
        select(JourneyVersion.id, steps.c.no)
        .join(Journey, Journey.id == JourneyVersion.journey_id)
        .join(steps, true())
        .join(somebody, true())
        .where(Journey.state == JourneyState.LIVE)
        .order_by(JourneyVersion.id, steps.c.no)
    )
    return [(version_id, no) for version_id, no in session.execute(statement)]
