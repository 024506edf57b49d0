"""Moves those inside older versions to the one published, or lets them out, batch by batch.

A batch is one transaction: the log of the move, under the key that stops a second one, and the
move. Killed in between, the next tick goes on with those who are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SmallInteger,
    String,
    and_,
    case,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from lifecycle.engine.changes import MOMENT, QUIETLY, rows, these
from lifecycle.engine.intake import guarded
from lifecycle.engine.pace import Pace
from lifecycle.engine.report import AdvanceReport
from lifecycle.journeys.definition import Document, delay
from lifecycle.journeys.dropping import drop_waiting
from lifecycle.journeys.models import (
    IS_INSIDE,
    IS_WAITING,
    MOVED,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
    StepRun,
    entered_day,
)
from lifecycle.journeys.queries import document_of
from lifecycle.journeys.takeover import MOVE, OUT, Takeover, kept_takeover, same_wait

BATCH = 1_000
REMOVED, REPLACED = "removed", "replaced"
LOG = ["enrollment_id", "seq", "entered_on", "step_no", "outcome", "reason", "at"]


def left_behind() -> Select[Any]:
    """(older version, version that takes over) of live journeys, where somebody is still inside."""
    older = aliased(JourneyVersion)
    here = Enrollment.version_id == older.id
    waiting = select(Enrollment.id).where(here, IS_WAITING).limit(1)
    stuck = select(Enrollment.id).where(
        Enrollment.journey_id == Journey.id, here, Enrollment.state == literal_column("'stuck'")
    )
    statement: Any = (
        select(older.id.label("old"), JourneyVersion.id.label("new"))
        .select_from(Journey)
        .join(JourneyVersion, JourneyVersion.id == Journey.live_version_id)
        .join(older, older.journey_id == Journey.id)
        .where(
            Journey.state == JourneyState.LIVE, older.id != JourneyVersion.id,
            JourneyVersion.takeover.is_not(None),
            or_(waiting.exists(), stuck.limit(1).exists()),
        )
    )  # fmt: skip
    found: Select[Any] = statement
    return found


def take_over(session: Session, at: datetime, report: AdvanceReport) -> None:
    """Work off everybody whom a published version takes over."""
    for old_id, new_id in session.execute(left_behind()).all():
        old, new = session.get_one(JourneyVersion, old_id), session.get_one(JourneyVersion, new_id)
        pace = Pace(BATCH)
        done: int | None = 0
        while done is not None:  # None: what is wrong is noted on the journey
            with pace.batch():
                ids = _claim(session, old, pace.size)
                if not ids:
                    break
                done = guarded(session, old.journey_id, partial(_batch, session, old, new, ids, at))
                session.commit()
            report.ended += done or 0
    session.commit()


def _claim(session: Session, old: JourneyVersion, limit: int) -> list[int]:
    some = (
        select(Enrollment.id)
        .where(Enrollment.version_id == old.id, IS_INSIDE)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(session.scalars(some))


def _batch(
    session: Session, old: JourneyVersion, new: JourneyVersion, ids: Sequence[int], at: datetime
) -> int:
    """Take these locked people over; answers how many were let out."""
    wanted = kept_takeover(new.takeover)
    mine = Enrollment.id == these(ids)
    if wanted.inside != MOVE:
        people = session.scalars(select(Enrollment.alumnus_id).where(mine)).all()
        journey = document_of(old).journey
        drop_waiting(session, journey, people=people, ways=ids, at=at)
        return _let_out(session, mine, REPLACED, at)
    before, after = document_of(old), document_of(new)
    targets = _targets(before, after, wanted)
    gone = [no for no, target in targets.items() if target is None]
    out = _let_out(session, and_(mine, Enrollment.step_no.in_(gone)), REMOVED, at) if gone else 0
    words = literal(f"{old.no}>{new.no}", String())
    chosen = select(
        Enrollment.id, Enrollment.seq, entered_day(Enrollment.entered_at), Enrollment.step_no,
        literal(MOVED), words, literal(at, MOMENT),
    ).where(mine, IS_INSIDE)  # fmt: skip
    session.execute(insert(StepRun).from_select(LOG, chosen))
    places = {no: target for no, target in targets.items() if target is not None}
    values = _values(before, after, places, wanted, at)
    moved = update(Enrollment).where(mine, IS_INSIDE)
    session.execute(
        moved.values({**values, "version_id": new.id, "seq": Enrollment.seq + 1}),
        execution_options=QUIETLY,
    )
    return out


def _targets(before: Document, after: Document, wanted: Takeover) -> dict[int, int | None]:
    """By number of the old step, that of the new one; None lets out."""
    numbers = {step.id: no for no, step in enumerate(after.steps)}
    found: dict[int, int | None] = {}
    for no, step in enumerate(before.steps):
        name = step.id if step.id in numbers else wanted.removed.get(step.id, OUT)
        found[no] = numbers.get(name)
    return found


def _values(
    before: Document, after: Document, places: dict[int, int], wanted: Takeover, at: datetime
) -> dict[str, Any]:
    """Where each stands then, since when, and when they go on."""
    steps: list[tuple[ColumnElement[bool], Any]] = []
    wakes: list[tuple[ColumnElement[bool], Any]] = []
    anchors: list[tuple[ColumnElement[bool], Any]] = []
    for no, target in places.items():
        here = Enrollment.step_no == no
        step = after.steps[target]
        steps.append((here, literal(target, SmallInteger())))
        if not same_wait(before.steps[no], step):
            wakes.append((here, literal(at + delay(step), MOMENT)))
            anchors.append((here, literal(at, MOMENT)))
        elif wanted.dates == "new":
            wakes.append((here, Enrollment.anchor_at + literal(delay(step))))
    return {
        "step_no": _either(steps, Enrollment.step_no),
        "wake_at": _either(wakes, Enrollment.wake_at),
        "anchor_at": case(*anchors, else_=Enrollment.anchor_at)
        if anchors
        else Enrollment.anchor_at,
    }


def _either(arms: Sequence[tuple[ColumnElement[bool], Any]], otherwise: Any) -> Any:
    return case(*arms, else_=otherwise) if arms else otherwise


def _let_out(session: Session, who: ColumnElement[bool], reason: str, at: datetime) -> int:
    values = {"state": EnrollmentState.ENDED, "ended_at": at, "end_reason": reason}
    return rows(session, update(Enrollment).where(who, IS_INSIDE).values(values))
