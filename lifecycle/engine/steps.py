"""Runs one step of one version for many people at once: decide, log, queue, move on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from crm.core.errors import NotFound
from crm.interactions.models import Interaction
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_many
from lifecycle.engine.changes import MOMENT, end_exits, these
from lifecycle.journeys.definition import Branch, Document, Exit, Send, Step, WaitFor, delay
from lifecycle.journeys.entry import meaning
from lifecycle.journeys.models import (
    IS_WAITING,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
    StepRun,
)
from lifecycle.journeys.service import content_version

LOG = ["enrollment_id", "seq", "step_no", "outcome", "reason", "at"]


Cursor = tuple[datetime, int]
_SEEN = (
    Enrollment.id, Enrollment.alumnus_id, Enrollment.seq, Enrollment.anchor_at, Enrollment.wake_at,
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """One step of one version, which people stand at."""

    version: JourneyVersion
    document: Document
    step_no: int

    @property
    def step(self) -> Step:
        """The step itself."""
        return self.document.steps[self.step_no]

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the step itself has to be done for those who are due."""
        return self.document.exit is None and not isinstance(self.step, Send)


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
    queued = stepped = 0
    if ids and isinstance(group.step, Send):
        queued = _queue(session, group, group.step, ids, at)
    if ids:
        chosen = select(*_SEEN).where(Enrollment.id == these(ids)).cte("due")
        moved, logged = _advance(session, group, chosen, at)
        stepped = session.scalars(select(moved).add_cte(logged)).one()
    ended = stepped if isinstance(group.step, Exit) else 0
    return Ran(stepped=stepped, queued=queued, ended=ended + len(out))


def _queue(session: Session, group: Group, step: Send, ids: Sequence[int], at: datetime) -> int:
    """One message for each, under a key that any rerun would repeat (law 1)."""
    key, number = step.pinned
    version = content_version(session, key, number)
    if version is None:
        raise NotFound(f"There is no content called “{step.content}”.")
    journey = group.document.journey
    name = func.concat(f"journey:{journey}:", Enrollment.id, ":", Enrollment.seq, type_=String())
    rows: Any = select(Enrollment.alumnus_id, name.label("key")).where(Enrollment.id == these(ids))
    return queue_many(
        session, rows, message_class=MessageClass.MARKETING, at=at,
        origin=f"journey:{journey}/{step.id}", version_id=version.id, topic_key=step.topic,
        priority=step.priority, expires_at=at + timedelta(seconds=step.expires),
    )  # fmt: skip


def outcome(session: Session, step: Step, due: CTE, at: datetime) -> ColumnElement[Any]:
    """How the step turns out, as a column over a due enrollment (and its alumnus at a branch)."""
    if isinstance(step, WaitFor):
        happened = exists().where(
            Interaction.alumnus_id == due.c.alumnus_id,
            Interaction.kind == step.interaction,
            Interaction.machine.is_(False),
            Interaction.occurred_at.between(due.c.anchor_at, at),
        )
        return case((happened, literal("yes")), else_=literal("no"))
    if isinstance(step, Branch):
        arms = [
            (meaning(session, arm.when, at), literal(str(number)))
            for number, arm in enumerate(step.arms, start=1)
        ]
        return case(*arms, else_=literal("otherwise"))
    if isinstance(step, Exit):
        return literal("ended")
    return literal("queued" if isinstance(step, Send) else "waited")


def _advance(
    session: Session, group: Group, due: CTE, at: datetime
) -> tuple[ColumnElement[int], CTE]:
    """Log the step and move everybody on: the number of those moved, and the log to add to it.

    The log's key stops a second run; the number of steps run guards against a lost lock.
    """
    step = group.step
    decided: Any = select(due.c.id, due.c.seq, outcome(session, step, due, at).label("outcome"))
    if isinstance(step, Branch):
        decided = decided.join(Alumnus, Alumnus.id == due.c.alumnus_id)
    done = decided.cte("decided")
    logged = insert(StepRun).from_select(
        LOG,
        select(
            done.c.id, done.c.seq, literal(group.step_no, SmallInteger), done.c.outcome,
            null(), literal(at, MOMENT),
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
