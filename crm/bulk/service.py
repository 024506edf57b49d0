"""The verbs of bulk changes: ask, apply, stop, take back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.bulk.engine import action_of
from crm.bulk.models import BulkLine, BulkRun, BulkState
from crm.core.bulk import BulkWork
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.extend import QueryContext
from crm.core.jobs import jobs
from crm.core.viewer import Viewer
from crm.query import compile_query

JOB = "bulk.work"
UNDO_FOR = timedelta(days=90)
"""How long what people were before is kept, and with it the way back."""
BUSY = frozenset({BulkState.LOOKING, BulkState.APPLYING, BulkState.UNDOING})
MAX_CHOSEN = 1_000


def ask(
    session: Session,
    viewer: Viewer,
    *,
    action: str,
    options: Mapping[str, Any],
    query: str,
    chosen: Sequence[int] | None,
    at: datetime,
) -> BulkRun:
    """Prepare an action on the people of a query, or on those chosen among them.

    Looking at them is work in the background. Raises `Invalid` with the field at fault, for the
    query `QueryError`.
    """
    if viewer.user_id is None:
        raise NotAllowed("A change to many people belongs to somebody: only an account can ask.")
    if chosen is not None and len(chosen) > MAX_CHOSEN:
        raise Invalid("Choose at most %(most)s people by hand.", field="id", most=MAX_CHOSEN)
    found = action_of(action)
    if not found.open_to(viewer):
        raise NotAllowed("This account may not do this to many people.")
    text = compile_query(query, QueryContext(session, viewer, at)).text
    run = BulkRun(
        action=action, options=dict(options), said=found.said(session, options), query=text,
        chosen=sorted(set(chosen)) if chosen is not None else None, state=BulkState.LOOKING,
        asked_by=viewer.user_id, asked_at=at, works_for=viewer.user_id, moved_at=at,
    )  # fmt: skip
    session.add(run)
    session.flush()
    found.look(BulkWork(session, viewer, run.options, run.id, at))
    note(session, "bulk.asked", run, by=viewer, at=at)
    _enqueue(session, run)
    return run


def apply(session: Session, run: BulkRun, *, by: Viewer, at: datetime) -> None:
    """Do what was looked at, or go on with it where it stopped."""
    _step(run, {BulkState.READY, BulkState.STOPPED}, BulkState.APPLYING, by=by, at=at)
    if run.applied_at is None:
        run.applied_at = at
        run.due = run.totals.get("change", 0)
    note(session, "bulk.started", run, by=by, at=at)
    _enqueue(session, run)


def undo(session: Session, run: BulkRun, *, by: Viewer, at: datetime) -> None:
    """Take back what was done, where it is still so.

    Raises `Conflict` for what only a person's own word may loosen (law 3) and after `UNDO_FOR`.
    """
    if action_of(run.action).back is None:
        raise Conflict(
            "What makes somebody harder to reach stays: only they themselves, or staff on their "
            "word, may loosen it, one by one."
        )
    if not can_undo(run, at):
        raise Conflict("What people were before is no longer kept, or nothing was done.")
    _step(run, {BulkState.APPLIED, BulkState.STOPPED}, BulkState.UNDOING, by=by, at=at)
    run.done, run.due, run.undone_at = 0, run.totals.get("done", 0), at
    note(session, "bulk.undoing", run, by=by, at=at)
    _enqueue(session, run)


def can_undo(run: BulkRun, at: datetime) -> bool:
    """Whether what people were before is still known."""
    done = run.state in {BulkState.APPLIED, BulkState.STOPPED} and run.totals.get("done", 0) > 0
    back = action_of(run.action).back is not None
    return bool(done and back and run.applied_at and run.applied_at > at - UNDO_FOR)


def stop(session: Session, run: BulkRun, *, by: Viewer, at: datetime) -> None:
    """Give a change up before it is applied, or stop it between two batches."""
    to = BulkState.STOPPED if run.state is BulkState.APPLYING else BulkState.CANCELLED
    before = {BulkState.LOOKING, BulkState.READY, BulkState.APPLYING}
    _step(run, before, to, by=by, at=at)
    if to is BulkState.CANCELLED:
        session.execute(delete(BulkLine).where(BulkLine.run_id == run.id))
    note(session, f"bulk.{to.value}", run, by=by, at=at)


def again(session: Session, run: BulkRun, *, by: Viewer, at: datetime) -> None:
    """Have somebody work on a change whose worker died; it goes on where that one was."""
    _step(run, BUSY, run.state, by=by, at=at)
    note(session, "bulk.again", run, by=by, at=at)
    _enqueue(session, run)


def _step(
    run: BulkRun, before: set[BulkState] | frozenset[BulkState], to: BulkState, *, by: Viewer,
    at: datetime,
) -> None:  # fmt: skip
    if run.state not in before or by.user_id is None:
        raise Conflict("This change has moved on. Look at where it stands now.")
    run.state, run.error, run.moved_at, run.works_for = to, None, at, by.user_id


def _enqueue(session: Session, run: BulkRun) -> None:
    session.flush()
    jobs(current_app).enqueue(session, JOB, run_id=run.id)


def note(session: Session, deed: str, run: BulkRun, *, by: Viewer | None, at: datetime) -> None:
    """One entry of the audit trail for all of them: query, action and numbers."""
    audit.record(
        session, deed, kind="bulk", key=run.id, by=by, at=at, query=run.query, what=run.action,
        options=run.options, chosen=len(run.chosen) if run.chosen is not None else None,
        totals=run.totals,
    )  # fmt: skip
    session.flush()
