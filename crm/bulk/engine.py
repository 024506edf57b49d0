"""What a change does to people, set by set: looks, writes a batch, takes a batch back.

Nothing here commits. A batch locks its people in the order of their numbers, judges them anew, and
writes what it did into their lines in the same transaction, so that doing it twice does it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    func,
    insert,
    literal,
    null,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.bulk.models import BulkLine, BulkRun, Fate
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.database import among
from crm.core.errors import NotFound
from crm.core.extend import QueryContext, extensions
from crm.query import compile_query

BATCH = 1_000
OUTSIDE, SINCE, PROTECTS = "outside", "since", "protects"
QUIET: dict[str, Any] = {"execution_options": {"synchronize_session": False}}


def action_of(key: str) -> BulkAction:
    """The registered action of that key; raises `NotFound`."""
    found = next((a for a in extensions().bulk_actions if a.key == key), None)
    if found is None:
        raise NotFound("There is no such action.")
    return found


def meant(run: BulkRun, work: BulkWork) -> ColumnElement[bool]:
    """A condition on `Alumnus`: whom the run is about, for who asks, at the moment of looking."""
    compiled = compile_query(run.query, QueryContext(work.session, work.viewer, work.at))
    chosen = true() if run.chosen is None else among(Alumnus.id, run.chosen)
    return and_(compiled.condition, chosen)


def look(run: BulkRun, work: BulkWork) -> int:
    """Fix whom the run is about, each with their fact as it is; answers how many."""
    seen = action_of(run.action).look(work)
    rows = select(
        literal(run.id), Alumnus.id, _fate(seen), _reason(seen), seen.now, seen.goal,
        Alumnus.updated_at,
    ).where(meant(run, work))  # fmt: skip
    columns = ["run_id", "alumnus_id", "fate", "reason", "before", "after", "seen_at"]
    done = work.session.execute(insert(BulkLine).from_select(columns, rows))
    return int(done.rowcount)  # type: ignore[attr-defined]


def _refusal(seen: BulkLook) -> ColumnElement[Any]:
    return null() if seen.refusal is None else seen.refusal


def _fate(seen: BulkLook) -> ColumnElement[Any]:
    """Nothing to do goes before a refusal: somebody who has it already is not left out of it."""
    kept = [(seen.refusal.is_not(None), Fate.KEPT.value)] if seen.refusal is not None else []
    return case((func.coalesce(seen.same, False), Fate.SAME.value), *kept, else_=Fate.CHANGE.value)


def _reason(seen: BulkLook) -> ColumnElement[Any]:
    same = func.coalesce(seen.same, False)
    return case((same, ""), else_=func.coalesce(_refusal(seen), ""))


def totals(session: Session, run_id: int) -> dict[str, int]:
    """People by fate, and those left alone or who stay also by reason (`kept:outside`)."""
    statement = select(BulkLine.fate, BulkLine.reason, func.count()).where(
        BulkLine.run_id == run_id
    )
    found: dict[str, int] = {}
    for fate, reason, n in session.execute(statement.group_by(BulkLine.fate, BulkLine.reason)):
        found[fate.value] = found.get(fate.value, 0) + n
        if reason:
            found[f"{fate.value}:{reason}"] = n
    return found


def _next(session: Session, run_id: int, fate: Fate) -> list[int]:
    """The next people of a fate, their records locked in the order of their numbers."""
    lines = BulkLine.run_id == run_id, BulkLine.fate == fate
    some = select(BulkLine.alumnus_id).where(*lines).order_by(BulkLine.alumnus_id).limit(BATCH)
    ids = list(session.scalars(some))
    locked = select(Alumnus.id).where(among(Alumnus.id, ids)).order_by(Alumnus.id)
    session.execute(locked.with_for_update()).all()
    return ids


def _lines(work: BulkWork, ids: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    return (
        BulkLine.run_id == work.run_id, among(BulkLine.alumnus_id, ids),
        BulkLine.alumnus_id == Alumnus.id,
    )  # fmt: skip


def apply_batch(action: BulkAction, work: BulkWork) -> int:
    """Do it to the next thousand people; answers how many lines are done with, 0 at the end."""
    session = work.session
    ids = _next(session, work.run_id, Fate.CHANGE)
    if not ids:
        return 0
    seen, inside = action.look(work), visible_alumni(work.viewer)
    again = update(BulkLine).where(*_lines(work, ids))
    again = again.values(
        fate=case((~inside, Fate.KEPT.value), else_=_fate(seen)),
        reason=case((~inside, OUTSIDE), else_=_reason(seen)),
        before=seen.now, seen_at=Alumnus.updated_at,
    )  # fmt: skip
    session.execute(again, **QUIET)
    mine = among(BulkLine.alumnus_id, ids), BulkLine.run_id == work.run_id
    doing = list(
        session.scalars(
            select(BulkLine.alumnus_id).where(*mine, BulkLine.fate == Fate.CHANGE)
        )
    )  # fmt: skip
    if doing:
        action.write(work, doing)
        if action.touches:
            touched = update(Alumnus).where(among(Alumnus.id, doing)).values(updated_at=work.at)
            session.execute(touched, **QUIET)
        became = action.look(work).now
        done = update(BulkLine).where(*_lines(work, doing))
        session.execute(done.values(fate=Fate.DONE.value, after=became), **QUIET)
    session.expire_all()
    return len(ids)


def undo_batch(action: BulkAction, work: BulkWork, applied_at: Any) -> int:
    """Take it back from the next thousand people whose fact is still what the run left.

    What changed since, and who is no longer in sight, stays with the reason.
    """
    session = work.session
    ids = _next(session, work.run_id, Fate.DONE)
    if not ids:
        return 0
    inside, now = visible_alumni(work.viewer), action.look(work).now
    same = now.is_not_distinct_from(BulkLine.after)
    judged = update(BulkLine).where(*_lines(work, ids)).values(
        fate=case((and_(inside, same), Fate.BACK.value), else_=Fate.STAYS.value),
        reason=case((~inside, OUTSIDE), (~same, SINCE), else_=""),
    )  # fmt: skip
    session.execute(judged, **QUIET)
    mine = among(BulkLine.alumnus_id, ids), BulkLine.run_id == work.run_id
    doing = list(
        session.scalars(select(BulkLine.alumnus_id).where(*mine, BulkLine.fate == Fate.BACK))
    )
    if doing and action.back is not None:
        action.back(work, doing)
        if action.touches:
            # Whoever nobody else touched since looks untouched again.
            back = update(Alumnus).where(
                BulkLine.run_id == work.run_id, BulkLine.alumnus_id == Alumnus.id,
                among(Alumnus.id, doing),
            )  # fmt: skip
            moment = case((Alumnus.updated_at == applied_at, BulkLine.seen_at), else_=work.at)
            session.execute(back.values(updated_at=moment), **QUIET)
    session.expire_all()
    return len(ids)
