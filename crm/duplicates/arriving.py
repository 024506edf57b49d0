"""Likely duplicates of whom imports brought: looked for as soon as they are applied."""

from __future__ import annotations

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.core.jobs import jobs
from crm.duplicates.finding import find_arrived
from crm.duplicates.models import DuplicatePass
from crm.imports.models import Fate, ImportLine, ImportRun, ImportState

JOB = "duplicates.arrived"


def ask(session: Session, import_id: int) -> None:
    """Queue the look in the import's own transaction."""
    jobs(current_app).enqueue(session, JOB, import_id=import_id)


def look(import_id: int) -> None:
    """Hold whom this import and any other since the last look brought against everybody.

    Imports that come one upon another share a look: the first job does the work of all.
    """
    session, at = db.session(), clock.now()
    run = session.get(ImportRun, import_id)
    last = session.scalar(select(func.max(DuplicatePass.at)).where(DuplicatePass.scope == "import"))
    if run is None or run.state is not ImportState.APPLIED or run.applied_at is None:
        return
    if last is not None and run.applied_at <= last:
        return
    rows = select(ImportLine.alumnus_id, func.max(ImportLine.import_id)).join(
        ImportRun, ImportRun.id == ImportLine.import_id
    )
    rows = rows.where(
        ImportRun.state == ImportState.APPLIED, ImportLine.alumnus_id.is_not(None),
        ImportLine.fate.in_([Fate.CREATE, Fate.UPDATE]),
    ).group_by(ImportLine.alumnus_id)  # fmt: skip
    if last is not None:
        rows = rows.where(ImportRun.applied_at > last)
    brought = {alumnus_id: source for alumnus_id, source in session.execute(rows) if alumnus_id}
    if brought:
        find_arrived(session, brought, at=at)
    session.commit()
