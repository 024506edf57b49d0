"""Checking and applying an upload in the background, with progress that others can see."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, HomecomingError, Refused
from crm.core.jobs import jobs
from crm.core.viewer import Role, Viewer
from crm.imports.models import ImportRun, ImportState
from crm.imports.people.remembering import tidy_memory
from crm.imports.people.schema import schema_for
from crm.imports.queries import load_run
from crm.imports.service import Job, run_people
from crm.imports.uploads import folder, forget_file, plan_of, reopen

RUN_LOCK = 7_312_002
"""With the import's id: the advisory lock of whoever works on it, gone when they are."""
EVERY = 1.0
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
    run.state, run.lines_done, run.error = to, 0, None
    session.flush()
    jobs(current_app).enqueue(session, "imports.work", import_id=run.id, user_id=by.user_id)


def work(import_id: int, user_id: int | None = None) -> None:
    """Do what an import's state asks for; a second worker on the same import leaves at once."""
    session, at = db.session(), clock.now()
    key = {"group": RUN_LOCK, "id": import_id}
    if not session.scalar(text("select pg_try_advisory_xact_lock(:group, :id)"), key):
        return
    run = load_run(session, import_id)
    if run.state not in STARTS:
        return
    by = Viewer(user_id=user_id, role=Role.COORDINATOR)
    try:
        _work(session, run, by=by, at=at)
    except HomecomingError as error:
        session.rollback()
        _fail(
            session,
            import_id,
            "\n".join(error.problems) if isinstance(error, Refused) else str(error),
        )
        return
    except Exception:
        session.rollback()
        _fail(session, import_id, "Something went wrong on our side; nothing was changed.")
        raise
    session.commit()
    if run.state is ImportState.APPLIED:
        forget_file(run)


def _work(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    table = reopen(run)
    plan = plan_of(run, table)
    job = Job(run, table, plan, schema_for(plan), at)
    apply = run.state is ImportState.APPLYING
    run_people(session, job, by=by, apply=apply, progress=Progress(run.id))


def _fail(session: Session, import_id: int, message: str) -> None:
    run = load_run(session, import_id)
    run.state, run.error = ImportState.FAILED, message[:4000]
    session.commit()


class Progress:
    """Notes how many lines are done, on a connection of its own so that others see it."""

    def __init__(self, import_id: int) -> None:
        self.import_id = import_id
        self.done = 0
        self.noted = time.monotonic()

    def __call__(self, lines: int) -> None:
        """So many more lines are done."""
        self.done += lines
        if time.monotonic() - self.noted < EVERY:
            return
        with db.engine.begin() as connection:
            statement = update(ImportRun).where(ImportRun.id == self.import_id)
            connection.execute(statement.values(lines_done=self.done))
        self.noted = time.monotonic()


def is_worked_on(session: Session, run: ImportRun) -> bool:
    """Whether some worker holds the import now; if none does, it waits or its worker died."""
    statement = text(
        """select exists (select from pg_locks where locktype = 'advisory' and granted
            and classid = :group and objid = :id and objsubid = 2
            and database = (select oid from pg_database where datname = current_database()))"""
    )
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
