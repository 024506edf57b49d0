"""Runs one step of one version for many people at once: decide, log, queue, move on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    String,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.interactions.models import Interaction
from lifecycle.engine.acting import NOTHING_TOLD, Told, act, letters
from lifecycle.engine.changes import MOMENT, end_exits, these
from lifecycle.engine.groups import Group
from lifecycle.engine.holding import hold
from lifecycle.journeys.chance import lot_of, share_of
from lifecycle.journeys.definition import delay
from lifecycle.journeys.entry import meaning
from lifecycle.journeys.models import (
    IS_WAITING,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    StepRun,
    entered_day,
)
from lifecycle.journeys.steps import Branch, Exit, Send, Split, WaitFor, WaitUntil

LOG = ["enrollment_id", "seq", "entered_on", "step_no", "outcome", "reason", "at"]


Cursor = tuple[datetime, int]
START: Cursor = (datetime.min.replace(tzinfo=UTC), 0)
_SEEN = (
    Enrollment.id, Enrollment.alumnus_id, Enrollment.seq, Enrollment.anchor_at, Enrollment.wake_at,
    entered_day(Enrollment.entered_at).label("entered_on"),
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a batch did."""

    stepped: int = 0
    queued: int = 0
    ended: int = 0


def _due(group: Group, at: datetime) -> Select[Any]:
    """The next `most` due enrollments at a step under lock, leaving other workers' alone.

    None at all once the journey is paused or stopped. The cursor keeps the rows of the batches
    before from being walked over again.
    """
    live = exists().where(
        Journey.id == group.version.journey_id, Journey.state == JourneyState.LIVE
    )
    after = func.row(
        bindparam("after_moment", type_=MOMENT), bindparam("after_id", type_=Enrollment.id.type)
    )
    found: Any = (
        select(*_SEEN)
        .where(
            Enrollment.version_id == group.version.id,
            Enrollment.step_no == group.step_no,
            IS_WAITING,
            Enrollment.wake_at <= at,
            func.row(Enrollment.wake_at, Enrollment.id) > after,
            live,
        )
        .order_by(Enrollment.wake_at, Enrollment.id)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True, key_share=True, of=Enrollment)
    )
    statement: Select[Any] = found
    return statement


def _page(after: Cursor, limit: int) -> Mapping[str, Any]:
    return {"after_moment": after[0], "after_id": after[1], "most": limit}


def claim(session: Session, group: Group, at: datetime, after: Cursor, limit: int) -> Sequence[Any]:
    """Lock the next due enrollments at a step; answers rows with `id` and `wake_at`."""
    return session.execute(_due(group, at), _page(after, limit)).all()


def relock(session: Session, group: Group, ids: Sequence[int], at: datetime) -> list[int]:
    """Lock those of these enrollments that still wait at the step (after a batch was undone)."""
    statement = (
        select(Enrollment.id)
        .where(
            Enrollment.id == these(ids),
            Enrollment.version_id == group.version.id,
            Enrollment.step_no == group.step_no,
            IS_WAITING,
            Enrollment.wake_at <= at,
        )
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(session.scalars(statement))


def in_one(session: Session, group: Group, at: datetime) -> Select[Any]:
    """The statement that claims the next batch and runs it whole; needs `group.is_plain`.

    Made once for all batches of a step: the cursor and the size are its parameters.
    """
    due = _due(group, at).cte("due")
    last = (
        select(due.c.wake_at, due.c.id).order_by(due.c.wake_at.desc(), due.c.id.desc()).limit(1)
    ).subquery("last")
    claimed = select(func.count()).select_from(due).scalar_subquery()
    done = _advance(session, group, due, at)
    return done.add_columns(func.max(last.c.wake_at), func.max(last.c.id), claimed).select_from(
        last
    )


def run_next(
    session: Session, group: Group, statement: Select[Any], after: Cursor, limit: int
) -> tuple[Ran, int, Cursor]:
    """Claim and run the next batch of a plain step by its statement (`in_one`).

    Answers what it did, how many it claimed, and the cursor for the batch after it.
    """
    stepped, queued, wake_at, last, claimed = session.execute(statement, _page(after, limit)).one()
    ended = stepped if isinstance(group.step, Exit) else 0
    return Ran(stepped, queued, ended), claimed, (wake_at, last) if claimed else after


def run_batch(session: Session, group: Group, ids: Sequence[int], at: datetime) -> Ran:
    """Run the step for these locked enrollments, in the caller's transaction."""
    out: list[int] = []
    if group.document.exit:
        mine = Enrollment.id == these(ids)
        out = end_exits(session, group.version, group.document, at, mine)
        gone = set(out)
        ids = [i for i in ids if i not in gone]
    if ids and isinstance(group.step, WaitUntil):
        ids = hold(session, group.step, ids, at)
    if not ids:
        return Ran(ended=len(out))
    acted = act(session, group, ids, at)
    chosen = select(*_SEEN).where(Enrollment.id == these(ids)).cte("due")
    stepped, queued = session.execute(_advance(session, group, chosen, at, acted.told)).one()
    ended = stepped if isinstance(group.step, Exit) else 0
    return Ran(stepped, acted.queued + queued, ended + len(out))


def outcome(session: Session, group: Group, due: CTE, at: datetime) -> ColumnElement[Any]:
    """How the step turns out, as a column over a due enrollment (and its alumnus at a branch)."""
    step, journey = group.step, group.document.journey
    if isinstance(step, WaitFor):
        happened = exists().where(
            Interaction.alumnus_id == due.c.alumnus_id,
            Interaction.machine.is_(False),
            Interaction.occurred_at.between(due.c.anchor_at, at),
        )
        if step.kinds:
            happened = happened.where(Interaction.kind.in_(step.kinds))
        if step.of is not None:
            happened = happened.where(Interaction.origin == f"journey:{journey}/{step.of}")
        return case((happened, literal("yes")), else_=literal("no"))
    if isinstance(step, Split):
        lot = lot_of(f"{journey}:{step.id}", due.c.alumnus_id)
        return share_of(lot, [share.weight for share in step.shares])
    if isinstance(step, Branch):
        arms = [
            (meaning(session, arm.when, at), literal(str(number)))
            for number, arm in enumerate(step.arms, start=1)
        ]
        return case(*arms, else_=literal("otherwise"))
    if isinstance(step, Exit):
        return literal("ended")
    return literal(next(iter(step.edges)))


def _told(
    due: CTE, told: Mapping[int, Told], found: ColumnElement[Any]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Outcome and reason of each enrollment: what acting on it told, else what the step says."""
    alike: dict[Told, list[int]] = {}
    for enrollment_id, one in told.items():
        alike.setdefault(one, []).append(enrollment_id)
    if not alike:
        return found, null()
    hit = [(due.c.id == these(ids), one) for one, ids in alike.items()]
    outcomes = case(*((mine, literal(one.outcome)) for mine, one in hit), else_=found)
    return outcomes, case(*((mine, literal(one.reason, String())) for mine, one in hit))


def _advance(
    session: Session,
    group: Group,
    due: CTE,
    at: datetime,
    told: Mapping[int, Told] = NOTHING_TOLD,
) -> Select[Any]:
    """Log the step, write its letters and move everybody on: how many moved, and letters queued.

    The log's key stops a second run; the number of steps run guards against a lost lock.
    """
    step = group.step
    word, reason = _told(due, told, outcome(session, group, due, at))
    decided: Any = select(
        due.c.id, due.c.seq, due.c.entered_on, word.label("outcome"), reason.label("reason")
    )
    if isinstance(step, Branch):
        decided = decided.join(Alumnus, Alumnus.id == due.c.alumnus_id)
    done = decided.cte("decided")
    logged = insert(StepRun).from_select(
        LOG,
        select(
            done.c.id, done.c.seq, done.c.entered_on, literal(group.step_no, SmallInteger),
            done.c.outcome, done.c.reason, literal(at, MOMENT),
        ),
    )  # fmt: skip
    moved = (
        update(Enrollment)
        .where(Enrollment.id == done.c.id, Enrollment.seq == done.c.seq)
        .values({**_next(group, done.c.outcome, at), "seq": Enrollment.seq + 1})
        .returning(Enrollment.id)
        .cte("moved")
    )
    queued: ColumnElement[int] = literal(0)
    if isinstance(step, Send):
        written = letters(session, group, step, due, at).returning(literal(1)).cte("written")
        queued = select(func.count()).select_from(written).scalar_subquery()
    stepped = select(func.count()).select_from(moved).scalar_subquery()
    return select(stepped, queued).add_cte(logged.returning(StepRun.seq).cte("logged"))


def _next(group: Group, found: ColumnElement[Any], at: datetime) -> Mapping[str, Any]:
    """What becomes of an enrollment by the outcome: the next step and when it runs, or the end."""
    step = group.step
    if isinstance(step, Exit):
        return {"state": EnrollmentState.ENDED, "ended_at": at, "end_reason": step.reason}
    targets = {word: group.document.number(name) for word, name in step.edges.items()}
    wakes = {word: at + delay(group.document.steps[no]) for word, no in targets.items()}
    return {
        "step_no": _pick(found, targets, SmallInteger()),
        "wake_at": _pick(found, wakes, MOMENT),
        "anchor_at": at,
    }


def _pick(found: ColumnElement[Any], values: Mapping[str, Any], kind: Any) -> ColumnElement[Any]:
    """The value by outcome; a constant where all outcomes agree."""
    distinct = set(values.values())
    if len(distinct) == 1:
        return literal(distinct.pop(), kind)
    return case(
        *((found == word, literal(value, kind)) for word, value in values.items()), else_=null()
    )
