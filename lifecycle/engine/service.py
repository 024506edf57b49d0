"""One full tick: changes in, people on, campaigns out; each batch a transaction of its own.

Safe to run twice, to kill at any instant and to run from several workers at once: rows say what is
due, claims skip what others hold, and the keys of log and outbox stop any second run of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import extensions
from lifecycle.campaigns.service import start_due
from lifecycle.engine.groups import Group
from lifecycle.engine.intake import clear_stopped, follow_changes, meet_everybody
from lifecycle.engine.probing import due_steps, probe
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.runner import Runner
from lifecycle.engine.taking_over import take_over
from lifecycle.journeys.models import JourneyVersion
from lifecycle.journeys.queries import document_of

HOPS = 20
"""How many steps without time between them one tick takes anybody."""


def advance(at: datetime) -> AdvanceReport:
    """Work off everything that is due at the moment; commits batch by batch."""
    session, report = db.session(), AdvanceReport()
    due = probe(session, at)
    session.commit()
    if due.changes:
        follow_changes(session, at, report)
    if due.journeys:
        meet_everybody(session, at, report)
        clear_stopped(session, at, report)
    if due.takeover:
        take_over(session, at, report)
    if due.people:
        move_people(session, at, report)
    if due.campaigns:
        report.started, queued = start_due(session, at)
        report.queued += queued
    report.queued += sum(area(at) for area in extensions().ticks)
    return report


def move_people(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Take everybody who is due as far as they get without time between steps."""
    faulty: set[tuple[int, int]] = set()
    for _ in range(HOPS):
        if not step_all(session, at, report, faulty):
            break
    session.commit()


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
    """The steps of live journeys at which somebody is due, as (version, number of the step)."""
    steps = due_steps(at)
    ordered = steps.order_by(*steps.selected_columns)
    return [(version_id, no) for version_id, no in session.execute(ordered)]
