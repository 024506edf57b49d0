"""Checking and applying an upload in the background, with progress that others can see."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, Fault, HomecomingError, Refused
from crm.core.jobs import jobs
from crm.core.viewer import Role, Viewer
from crm.imports.broken import Broken
from crm.imports.models import ImportRun, ImportState, Phase
from crm.imports.people.remembering import tidy_memory
from crm.imports.people.schema import schema_for
from crm.imports.queries import load_run
from crm.imports.service import Job, Watch, run_people
from crm.imports.uploads import folder, forget_file, plan_of, reopen

RUN_LOCK = 7_312_002
"""With the import's id: the advisory lock of whoever works on it, gone when they are."""
HELD = """locktype = 'advisory' and granted and classid = :group and objid = :id and objsubid = 2
    and database = (select oid from pg_database where datname = current_database())"""
EVERY = 1.0
PATIENCE = 5
KEPT = timedelta(days=30)
REMEMBERED = timedelta(days=400)
"""How long the lines of a file are known again; rosters come at least once a year."""
STARTS = {
    ImportState.CHECKING: {
        ImportState.UPLOADED, ImportState.CHECKED, ImportState.FAILED, ImportState.CHECKING,
    },
    ImportState.APPLYING: {ImportState.CHECKED, ImportState.APPLYING},
}  # fmt: skip


def enqueue(session: Session, run: ImportRun, *, to: ImportState, by: Viewer) -> None:
    """Have an upload checked or applied; asking twice does it once."""
    if run.state not in STARTS[to]:
        raise Conflict("This import has moved on. Look at where it stands now.")
    run.state, run.lines_done, run.phase, run.error = to, 0, None, None
    session.flush()
    jobs(current_app).enqueue(session, "imports.work", import_id=run.id, user_id=by.user_id)


def work(import_id: int, user_id: int | None = None) -> None:
    """Do what an import's state asks for; a second worker on the same import waits, then leaves."""
    session, at = db.session(), clock.now()
    if not _take(session, import_id):
        return
    run = load_run(session, import_id)
    if run.state not in STARTS:
        return
    by = Viewer(user_id=user_id, role=Role.COORDINATOR)
    try:
        _work(session, run, by=by, at=at)
    except Exception as error:
        session.rollback()
        if isinstance(error, Stopped) or not _is_wanted(session, import_id):
            # Somebody stopped it: what they left it as stands, and nothing of ours was kept.
            return
        _fail(session, import_id, error)
        if not isinstance(error, HomecomingError):
            raise
        return
    session.commit()
    if run.state is ImportState.APPLIED:
        forget_file(run)


def _take(session: Session, import_id: int) -> bool:
    """Hold the import until the transaction ends; waits a little for one that is being stopped."""
    session.execute(text(f"set local lock_timeout = '{PATIENCE}s'"))
    try:
        key = {"group": RUN_LOCK, "id": import_id}
        session.execute(text("select pg_advisory_xact_lock(:group, :id)"), key)
    except OperationalError:
        session.rollback()
        return False
    session.execute(text("set local lock_timeout = 0"))
    return True


def _work(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    table = reopen(run)
    plan = plan_of(run, table)
    job = Job(run, table, plan, schema_for(plan), at)
    apply = run.state is ImportState.APPLYING
    run_people(session, job, by=by, apply=apply, watch=Reporter(run.id, run.state))


def _is_wanted(session: Session, import_id: int) -> bool:
    wanted = load_run(session, import_id).state in STARTS
    session.rollback()
    return wanted


def _fail(session: Session, import_id: int, error: Exception) -> None:
    run = load_run(session, import_id)
    faults = error.faults if isinstance(error, Refused) else ()
    run.mapping = {**run.mapping, "faults": [asdict(f) for f in faults if isinstance(f, Fault)]}
    message = "Something went wrong on our side; nothing was changed."
    if isinstance(error, HomecomingError):
        message = "\n".join(error.problems) if isinstance(error, Refused) else str(error)
    run.state, run.error, run.phase = ImportState.FAILED, message[:4000], None
    if isinstance(error, Broken):
        run.mapping = {**run.mapping, "broken": error.line}
    session.commit()


def aside() -> AbstractContextManager[Connection]:
    """A connection and transaction beside the session's, whose work others see at once."""
    return db.engine.begin()


class Stopped(Exception):
    """Somebody stopped the import that this worker is at."""


class Reporter(Watch):
    """Notes how far an import is, on a connection of its own so that others see it.

    Raises `Stopped` once the import is no longer in the state that it began in.
    """

    def __init__(self, import_id: int, state: ImportState) -> None:
        super().__init__()
        self.import_id, self.state = import_id, state
        self.done = 0
        self.noted = time.monotonic()

    def lines(self, count: int) -> None:
        """So many more lines are done."""
        self.done += count
        if time.monotonic() - self.noted >= EVERY:
            self._note(lines_done=self.done)

    def phase(self, phase: Phase) -> None:
        """The next part begins."""
        self._note(lines_done=self.done, phase=phase)

    def closing(self, session: Session) -> None:
        """Hold the import's row, so that nobody stops what is about to be committed."""
        statement = select(ImportRun.state).where(ImportRun.id == self.import_id)
        if session.scalar(statement.with_for_update()) is not self.state:
            raise Stopped

    def _note(self, **values: Any) -> None:
        statement = (
            update(ImportRun)
            .where(ImportRun.id == self.import_id, ImportRun.state == self.state)
            .values(**values)
            .returning(ImportRun.id)
        )
        with aside() as connection:
            if connection.execute(statement).first() is None:
                raise Stopped
        self.noted = time.monotonic()


def stop(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    """Give back what was asked of an import under way: nothing of it is kept.

    Commit, then `interrupt` whoever works on it. Raises `Conflict` once it is done.
    """
    if run.state not in STARTS:
        raise Conflict("This import is done already. What it did can be undone.")
    checked = run.state is ImportState.APPLYING and run.totals
    run.state = ImportState.CHECKED if checked else ImportState.UPLOADED
    run.phase, run.lines_done = None, 0
    audit.record(session, "import.stopped", kind="import", key=run.id, by=by, at=at)
    session.flush()


def interrupt(session: Session, import_id: int) -> None:
    """Break off the statement of the worker that holds an import; its transaction rolls back."""
    statement = text(f"select pg_cancel_backend(pid) from pg_locks where {HELD}")  # noqa: S608
    session.execute(statement, {"group": RUN_LOCK, "id": import_id}).all()


def is_worked_on(session: Session, run: ImportRun) -> bool:
    """Whether some worker holds the import now; if none does, it waits or its worker died."""
    statement = text(f"select exists (select from pg_locks where {HELD})")  # noqa: S608
    return bool(session.scalar(statement, {"group": RUN_LOCK, "id": run.id}))


def tidy(at: datetime) -> int:
    """Delete stored files that no open import needs or that lie too long, and old memories."""
    session = db.session()
    open_states = set(ImportState) - {
        ImportState.APPLIED, ImportState.CANCELLED, ImportState.REVERTED,
    }  # fmt: skip
    needed = set(
        session.scalars(
            select(ImportRun.stored_as).where(
                ImportRun.stored_as.is_not(None), ImportRun.state.in_(open_states),
                ImportRun.created_at > at - KEPT,
            )
        )
    )  # fmt: skip
    gone = 0
    oldest = time.time() - timedelta(hours=1).total_seconds()
    for path in folder().glob("*") if folder().is_dir() else ():
        # A file younger than an hour may belong to an upload that is not committed yet.
        if path.name not in needed and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            gone += 1
    tidy_memory(session, at - REMEMBERED)
    session.commit()
    return gone
