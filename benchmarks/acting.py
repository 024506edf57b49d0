"""Steps that act on people, people one by one through the ORM, and a rehearsed year."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select, text

from benchmarks.figures import Figure
from benchmarks.work import Meter, spent, transactions
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail.content import ship_all
from lifecycle.engine.intake import follow_changes
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, StepRun
from lifecycle.journeys.starters import starter_text
from lifecycle.rehearsal.running import Order, rehearse

LONGEST_MS = 500.0
ORM_GOAL, ORM_SAMPLE, ORM_BATCH = 40.0, 2_000, 100
YEAR_S, YEAR_PEOPLE = 60.0, 100_000
ACTING = """\
journey: acting
name: Acting
serves: Measuring
enter: "class:1900.."
steps:
  - {id: lots, split: {call: 50, note: 50}}
  - {id: call, task: "Call them", next: note}
  - {id: note, set: {subject: health}}
  - {id: offer, ask: speak}
  - {id: other, enter: second}
  - {id: letter, send: bench-letter, topic: news}
  - {id: done, exit: done}
"""
SECOND = """\
journey: second
name: Second
serves: Measuring
enter: {by_hand: true}
steps:
  - {id: rest, wait: 3650d}
  - {id: done, exit: done}
"""


def longest(at: datetime) -> list[Figure]:
    """Everybody through a journey of steps that act, in one tick: its longest transaction."""
    for source in (SECOND, ACTING):
        service.publish(db.session(), source, name="bench.yaml", by=SYSTEM, at=at)
    db.session.commit()
    with transactions() as seen:
        report = advance(at)
    note = (
        f"of {seen.number:,}, in which people enter, are split, called, noted, asked, let into "
        f"another journey, mailed and let out; by the clock {seen.longest * 1000:,.0f} ms; "
        "floor: the goal itself"
    )
    took, size = seen.costliest * 1000, report.entered
    return [
        Figure("lifecycle", "longest transaction", size, "ms", took, LONGEST_MS, 1.0, note=note)
    ]


def orm_loop(step_ms: float, stepped: int, at: datetime) -> list[Figure]:
    """The wait step of a sample, person by person through the ORM, against ours for everybody."""
    session = db.session()
    chosen = select(Enrollment.id).order_by(Enrollment.id).limit(ORM_SAMPLE)
    ids = session.scalars(chosen).all()

    def loop() -> None:
        for number, enrollment_id in enumerate(ids, start=1):
            one = session.get_one(Enrollment, enrollment_id)
            session.add(StepRun(
                enrollment_id=one.id, seq=one.seq, entered_on=one.entered_at.date(),
                step_no=one.step_no, outcome="waited", at=at,
            ))  # fmt: skip
            one.seq, one.wake_at, one.anchor_at = one.seq + 1, at + timedelta(days=3650), at
            session.flush()
            if number % ORM_BATCH == 0:
                session.commit()
        session.commit()

    took = spent(loop)
    ours, theirs = stepped / step_ms * 1000, len(ids) / took * 1000
    note = f"floor: a sample of {len(ids):,}, a flush each, {ORM_BATCH} a commit"
    return [
        Figure(
            "lifecycle", "advance against an ORM loop", stepped, "people/s", ours, theirs, ORM_GOAL,
            at_least=True, note=note,
        )
    ]  # fmt: skip


def year(people: int) -> list[Figure]:
    """Twelve months of the shipped journeys, as people behave, one run; needs a fresh district."""
    session, at = db.session(), clock.now()
    session.execute(text("insert into alumnus_change (alumnus_id) select id from alumnus"))
    session.commit()
    follow_changes(session, at, AdvanceReport())
    ship_all(session, at)
    for key in ("welcome", "reunion"):
        service.publish(session, starter_text(key), name=f"{key}.yaml", by=SYSTEM, at=at)
    session.commit()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    order = Order(months=12, runs=1)
    meter = Meter()

    def watch(_: float) -> None:
        meter.look()

    took = spent(lambda: rehearse(app, order, at, watch), meter) / 1000
    goal = YEAR_S * people / YEAR_PEOPLE
    note = "shipped journeys, one run, processor time; floor: the goal, 60 s for 100,000"
    return [Figure("lifecycle", "rehearsal of 12 months", people, "s", took, goal, 1.0, note=note)]
