"""The tick's first half: follows changes to people onto the continuum, in and out of journeys.

What is looked at is who changed or whom time moved, never everybody; only a journey that was just
published, and each live one once a day (for queries that look at the calendar), meets everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, func, or_, select, true, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.errors import HomecomingError
from lifecycle.continuum.service import sweep_batch
from lifecycle.engine.changes import (
    end_capped,
    end_departed,
    end_exits,
    enter,
    note_goals,
    rows,
    these,
    versions_with_exits,
    wake,
)
from lifecycle.engine.pace import Pace
from lifecycle.engine.report import AdvanceReport
from lifecycle.journeys.models import (
    IS_INSIDE,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.queries import document_of, live_journeys, live_version

log = structlog.get_logger(__name__)
BATCH = 1_000
RANGE = 5_000
RECHECK = timedelta(days=1)


def follow_changes(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Place everybody who changed or whom time moved, and let journeys see the same people.

    One batch is one transaction: the marks go with everything that was made of them.
    """
    pace, more = Pace(BATCH, most=5 * BATCH), True
    while more:
        with pace.batch():
            more = _follow(session, at, report, pace.size)
            session.commit()


def _follow(session: Session, at: datetime, report: AdvanceReport, limit: int) -> bool:
    """Work off so many people; answers whether there may be more."""
    swept = sweep_batch(session, at, limit)
    if swept.ids:
        report.moved += swept.moved
        if swept.changed:
            note_goals(session, swept.changed, at)
            wake(session, swept.changed, at)
            report.ended += end_departed(session, swept.changed, at)
            report.ended += end_capped(session, swept.changed, at)
        for version in versions_with_exits(session, swept.ids):
            _let_out(session, version, swept.ids, at, report)
        for _, version in live_journeys(session):
            _let_in(session, version, swept.ids, at, report)
    return swept.more


def _let_out(
    session: Session,
    version: JourneyVersion,
    ids: tuple[int, ...],
    at: datetime,
    report: AdvanceReport,
) -> None:
    among = Enrollment.alumnus_id == these(ids)

    def work() -> int:
        return len(end_exits(session, version, document_of(version), at, among))

    report.ended += guarded(session, version.journey_id, work) or 0


def _let_in(
    session: Session,
    version: JourneyVersion,
    ids: tuple[int, ...],
    at: datetime,
    report: AdvanceReport,
) -> None:
    def work() -> int:
        return enter(session, version, document_of(version), at, Alumnus.id == these(ids))

    report.entered += guarded(session, version.journey_id, work) or 0


def guarded(session: Session, journey_id: int, work: Callable[[], int]) -> int | None:
    """Do one journey's part; None if it failed, and then that is noted on it and stops no other.

    Its entry is tried again with everybody at the next tick, so that nobody is missed.
    """
    try:
        with session.begin_nested():
            return work()
    except OperationalError:
        raise
    except (DBAPIError, HomecomingError) as error:
        log.exception("journey.faulty", journey_id=journey_id)
        values = {"fault": fault_text("entry", error), "checked_at": None}
        rows(session, update(Journey).where(Journey.id == journey_id).values(values))
        return None


def fault_text(where: str, error: BaseException) -> str:
    """One line that says what is wrong, with the place in the journey before it."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return f"{where}: {lines[0] if lines else type(cause).__name__}"[:500]


def meet_everybody(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Hold all people against journeys just published, and against each live one once a day."""
    for journey_id in session.scalars(meeting(at)).all():
        report.entered += _meet(session, journey_id, at)


def meeting(at: Any) -> Select[int]:
    """Live journeys that everybody is to be held against."""
    return select(Journey.id).where(
        Journey.state == JourneyState.LIVE,
        or_(Journey.checked_at.is_(None), Journey.checked_at <= at - RECHECK),
    )


def _meet(session: Session, journey_id: int, at: datetime) -> int:
    """One journey against everybody, a range of ids a transaction; a rival worker's is let be."""
    entered, last, pace = 0, 0, Pace(RANGE, least=RANGE // 2, most=10 * RANGE)
    highest = session.scalar(select(func.max(Alumnus.id))) or 0
    while last < highest:
        upto = last + pace.size
        with pace.batch():
            version = _take(session, journey_id)
            if version is None:
                session.commit()
                return entered
            among = Alumnus.id.between(last + 1, upto)
            found = guarded(session, journey_id, _entry(session, version, at, among))
            session.commit()
        if found is None:
            return entered
        entered, last = entered + found, upto
    _finish(session, journey_id, at)
    return entered


def _entry(
    session: Session, version: JourneyVersion, at: datetime, among: ColumnElement[bool]
) -> Callable[[], int]:
    return lambda: enter(session, version, document_of(version), at, among)


def _take(session: Session, journey_id: int) -> JourneyVersion | None:
    """A journey's version under lock, or None if another worker has it or it lives no more."""
    statement = (
        select(Journey)
        .where(Journey.id == journey_id, Journey.state == JourneyState.LIVE)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    journey = session.scalars(statement).one_or_none()
    return live_version(session, journey) if journey else None


def _finish(session: Session, journey_id: int, at: datetime) -> None:
    """Note that everybody was met, unless the journey was published or resumed meanwhile."""
    mine = update(Journey).where(Journey.id == journey_id)
    rows(session, mine.values(checked_at=at))
    rows(session, mine.where(Journey.fault.startswith("entry:")).values(fault=None))
    session.commit()


def clear_stopped(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Let everybody out of stopped journeys, a batch a transaction."""
    for journey_id in session.scalars(stopped()).all():
        pace, ended = Pace(BATCH), 1
        while ended:
            with pace.batch():
                ended = _clear(session, journey_id, at, pace.size)
                session.commit()
            report.ended += ended
    session.commit()


def stopped() -> Select[int]:
    """Stopped journeys that still have people inside."""
    # The order costs nothing in the index and keeps the planner from reading the table instead.
    inside = (
        select(Enrollment.alumnus_id)
        .where(Enrollment.journey_id == Journey.id, IS_INSIDE)
        .order_by(Enrollment.alumnus_id)
        .limit(1)
        .lateral("inside")
    )
    return select(Journey.id).join(inside, true()).where(Journey.state == JourneyState.STOPPED)


def _clear(session: Session, journey_id: int, at: datetime, limit: int) -> int:
    some = (
        select(Enrollment.id)
        .where(Enrollment.journey_id == journey_id, IS_INSIDE)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    values = {"state": EnrollmentState.ENDED, "ended_at": at, "end_reason": "stopped"}
    return rows(session, update(Enrollment).where(Enrollment.id.in_(some)).values(values))
