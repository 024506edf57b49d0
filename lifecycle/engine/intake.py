"""The tick's first half: follows changes to people onto the continuum, in and out of journeys.

What is looked at is who changed or whom time moved, never everybody; only a journey that was just
published, and each live one once a day (for queries that look at the calendar), meets everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Select, func, or_, select, true, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, AlumnusChange
from crm.core.errors import HomecomingError
from lifecycle.continuum.definition import continuum
from lifecycle.continuum.models import Standing
from lifecycle.continuum.service import latest_edition, sweep_batch
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
BATCH = 5_000
RANGE = 20_000
RECHECK = timedelta(days=1)


def changes_wait(session: Session, at: datetime) -> bool:
    """Whether anybody changed, time moved anybody, or the definition is a new one: one probe."""
    marked = select(AlumnusChange.alumnus_id).order_by(AlumnusChange.alumnus_id).limit(1)
    due = select(Standing.next_at).where(Standing.next_at <= at).order_by(Standing.next_at).limit(1)
    statement = select(
        latest_edition().scalar_subquery() == continuum().sha256,
        marked.scalar_subquery().is_not(None),
        due.scalar_subquery().is_not(None),
    )
    known, changed, moved = session.execute(statement).one()
    return not known or changed or moved


def journeys_wait(session: Session, at: datetime) -> bool:
    """Whether a journey is to meet everybody or to be cleared: one probe."""
    stopped, meeting = _stopped().exists(), _meeting(at).exists()
    return bool(session.scalar(select(or_(meeting, stopped))))


def follow_changes(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Place everybody who changed or whom time moved, and let journeys see the same people.

    One batch is one transaction: the marks go with everything that was made of them.
    """
    while True:
        swept = sweep_batch(session, at, BATCH)
        if not swept.ids:
            session.commit()
            return
        report.moved += swept.moved
        note_goals(session, swept.ids, at)
        wake(session, swept.ids, at)
        report.ended += end_departed(session, swept.ids, at)
        report.ended += end_capped(session, swept.ids, at)
        for version in versions_with_exits(session, swept.ids):
            _let_out(session, version, swept.ids, at, report)
        for _, version in live_journeys(session):
            _let_in(session, version, swept.ids, at, report)
        session.commit()


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
    for journey_id in session.scalars(_meeting(at)).all():
        report.entered += _meet(session, journey_id, at)


def _meeting(at: datetime) -> Select[int]:
    """Live journeys that everybody is to be held against."""
    return select(Journey.id).where(
        Journey.state == JourneyState.LIVE,
        or_(Journey.checked_at.is_(None), Journey.checked_at <= at - RECHECK),
    )


def _meet(session: Session, journey_id: int, at: datetime) -> int:
    """One journey against everybody, a range of ids a transaction; a rival worker's is let be."""
    entered, last = 0, 0
    highest = session.scalar(select(func.max(Alumnus.id))) or 0
    while last < highest:
        version = _take(session, journey_id)
        if version is None:
            session.commit()
            return entered
        among = Alumnus.id.between(last + 1, last + RANGE)
        found = guarded(session, journey_id, _entry(session, version, at, among))
        session.commit()
        if found is None:
            return entered
        entered, last = entered + found, last + RANGE
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
    for journey_id in session.scalars(_stopped()).all():
        while ended := _clear(session, journey_id, at):
            report.ended += ended
            session.commit()
    session.commit()


def _stopped() -> Select[int]:
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


def _clear(session: Session, journey_id: int, at: datetime) -> int:
    some = (
        select(Enrollment.id)
        .where(Enrollment.journey_id == journey_id, IS_INSIDE)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    values = {"state": EnrollmentState.ENDED, "ended_at": at, "end_reason": "stopped"}
    return rows(session, update(Enrollment).where(Enrollment.id.in_(some)).values(values))
