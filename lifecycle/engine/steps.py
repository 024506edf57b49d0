"""Runs one step of one version for many people at once: decide, log, queue, move on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    SmallInteger,
    String,
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
from lifecycle.engine.acting import NOTHING_TOLD, Acted, Told, act
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
from lifecycle.journeys.steps import Branch, Exit, Split, WaitFor, WaitUntil

LOG = ["enrollment_id", "seq", "entered_on", "step_no", "outcome", "reason", "at"]


Cursor = tuple[datetime, int]
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


def _due(group: Group, at: datetime, after: Cursor | None, limit: int) -> Select[Any]:
    """The next due enrollments at a step under lock, leaving other workers' alone.

    None at all once the journey is paused or stopped. The cursor keeps the rows of the batches
    before from being walked over again.
    """
    live = exists().where(
        Journey.id == group.version.journey_id, Journey.state == JourneyState.LIVE
    )
    statement: Any = (
        select(*_SEEN)
        .where(
            Enrollment.version_id == group.version.id,
            Enrollment.step_no == group.step_no,
            IS_WAITING,
            Enrollment.wake_at <= at,
            live,
        )
        .order_by(Enrollment.wake_at, Enrollment.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=Enrollment)
    )
    if after is not None:
        statement = statement.where(
            func.row(Enrollment.wake_at, Enrollment.id)
            > func.row(literal(after[0], MOMENT), literal(after[1], Enrollment.id.type))
        )
    found: Select[Any] = statement
    return found


def claim(
    session: Session, group: Group, at: datetime, after: Cursor | None, limit: int
) -> Sequence[Any]:
    """Lock the next due enrollments at a step; answers rows with `id` and `wake_at`."""
    return session.execute(_due(group, at, after, limit)).all()


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


def run_next(
    session: Session, group: Group, at: datetime, after: Cursor | None, limit: int
) -> tuple[Ran, int, Cursor | None]:
    """Claim and run the next batch of a plain step in one statement; needs `group.is_plain`.

    Answers what it did, how many it claimed, and the cursor for the batch after it.
    """
    due = _due(group, at, after, limit).cte("due")
    last = (
        select(due.c.wake_at, due.c.id).order_by(due.c.wake_at.desc(), due.c.id.desc()).limit(1)
    ).subquery("last")
    moved, logged = _advance(session, group, due, at)
    claimed = select(func.count()).select_from(due).scalar_subquery()
    statement = select(func.max(last.c.wake_at), func.max(last.c.id), claimed, moved)
    found = session.execute(statement.select_from(last).add_cte(logged)).one()
    wake_at, last_id, number, stepped = found
    ended = stepped if isinstance(group.step, Exit) else 0
    return Ran(stepped=stepped, ended=ended), number, (wake_at, last_id) if number else None


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
    acted = act(session, group, ids, at) if ids else Acted()
    stepped = 0
    if ids:
        chosen = select(*_SEEN).where(Enrollment.id == these(ids)).cte("due")
        moved, logged = _advance(session, group, chosen, at, acted.told)
        stepped = session.scalars(select(moved).add_cte(logged)).one()
    ended = stepped if isinstance(group.step, Exit) else 0
    return Ran(stepped=stepped, queued=acted.queued, ended=ended + len(out))


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
) -> tuple[ColumnElement[int], CTE]:
    """Log the step and move everybody on: the number of those moved, and the log to add to it.

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
    number = select(func.count()).select_from(moved).scalar_subquery()
    return number, logged.returning(StepRun.seq).cte("logged")


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
