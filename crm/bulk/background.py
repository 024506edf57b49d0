"""Looks, applies and takes back in the background, a batch a transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import User
from crm.bulk import engine
from crm.bulk.models import BulkLine, BulkRun, BulkState
from crm.bulk.service import BUSY, UNDO_FOR, note
from crm.core import clock
from crm.core.bulk import BulkWork
from crm.core.database import db
from crm.core.errors import Conflict, HomecomingError
from crm.core.viewer import Permission, Viewer

RUN_LOCK = 7_312_013
"""With the run's id: held for a batch by the worker that does it."""
LOST = timedelta(seconds=60)
FORGOTTEN = timedelta(days=7)
"""How long a change that nobody applies keeps whom it is about."""
ENDS = {
    BulkState.LOOKING: BulkState.READY,
    BulkState.APPLYING: BulkState.APPLIED,
    BulkState.UNDOING: BulkState.UNDONE,
}


def work(run_id: int) -> None:
    """Do what a run's state asks for until it is done, stopped, or another worker does it.

    Each batch is whole: killed at any moment, the next worker goes on after the last batch.
    """
    session = db.session()
    try:
        while _batch(session, run_id, clock.now()):
            session.commit()
        session.commit()
    except HomecomingError as error:
        _fail(session, run_id, str(error))
    except Exception:
        _fail(session, run_id, "Something went wrong on our side. What was done so far stands.")
        raise


def _batch(session: Session, run_id: int, at: datetime) -> bool:
    """One batch; whether there is more to do."""
    key = {"group": RUN_LOCK, "id": run_id}
    if not session.scalar(text("select pg_try_advisory_xact_lock(:group, :id)"), key):
        return False
    run = session.get(BulkRun, run_id, populate_existing=True)
    if run is None or run.state not in BUSY:
        return False
    began = run.state
    viewer = _viewer(session, run)
    # Everybody of a run is changed at one moment: by it the way back knows who was touched since.
    moment = run.applied_at if run.state is BulkState.APPLYING and run.applied_at else at
    job = BulkWork(session, viewer, run.options, run.id, moment)
    done = _do(run, job)
    session.refresh(run, with_for_update=True)
    if run.state is not began:
        # Given up while it was looked at; a batch that was written stands, and is counted.
        return _leave(session, run, began)
    run.done += done
    run.moved_at = at
    if done and began is not BulkState.LOOKING:
        return True
    run.totals = engine.totals(session, run.id)
    run.state = ENDS[began]
    if began is not BulkState.LOOKING:
        note(session, f"bulk.{run.state.value}", run, by=viewer, at=at)
    return False


def _leave(session: Session, run: BulkRun, began: BulkState) -> bool:
    if began is BulkState.LOOKING:
        session.rollback()
    else:
        run.totals = engine.totals(session, run.id)
    return False


def _do(run: BulkRun, job: BulkWork) -> int:
    action = engine.action_of(run.action)
    if run.state is BulkState.LOOKING:
        job.session.execute(delete(BulkLine).where(BulkLine.run_id == run.id))
        return engine.look(run, job)
    if run.state is BulkState.APPLYING:
        return engine.apply_batch(action, job)
    return engine.undo_batch(action, job, run.applied_at)


def _viewer(session: Session, run: BulkRun) -> Viewer:
    """Whose work it is, with what they may see and do now."""
    user = session.get_one(User, run.works_for)
    viewer = viewer_for(session, user)
    if not user.active or not viewer.may(Permission.PEOPLE_EDIT):
        raise Conflict("The account whose change this is may no longer edit people.")
    if not engine.action_of(run.action).open_to(viewer):
        raise Conflict("The account whose change this is may no longer do this.")
    return viewer


def _fail(session: Session, run_id: int, message: str) -> None:
    """Stop with a sentence; what was applied so far can be gone on with or taken back."""
    session.rollback()
    run = session.get(BulkRun, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.state not in BUSY:
        return
    run.error = message[:2000]
    run.totals = engine.totals(session, run.id)
    looking = run.state is BulkState.LOOKING
    run.state = BulkState.FAILED if looking else BulkState.STOPPED
    note(session, f"bulk.{run.state.value}", run, by=None, at=clock.now())
    session.commit()


def is_lost(run: BulkRun, at: datetime) -> bool:
    """Whether nobody moved it for so long that its worker must be gone, or none is there."""
    return run.state in BUSY and run.moved_at < at - LOST


def tidy(at: datetime) -> int:
    """Forget what people were before once it is too late to go back; answers how many lines went.

    What was looked at and never applied is given up.
    """
    session = db.session()
    old = BulkRun.state == BulkState.READY, BulkRun.asked_at < at - FORGOTTEN
    session.execute(update(BulkRun).where(*old).values(state=BulkState.CANCELLED))
    ended = (BulkState.APPLIED, BulkState.STOPPED, BulkState.UNDONE)
    over = select(BulkRun.id).where(
        (BulkRun.state.in_(ended) & (BulkRun.applied_at < at - UNDO_FOR))
        | BulkRun.state.in_([BulkState.CANCELLED, BulkState.FAILED])
    )
    gone = session.execute(delete(BulkLine).where(BulkLine.run_id.in_(over)))
    session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]
