"""Takes back what an import did: people and schools it made, facts it changed, history it told.

What changed since stays and is listed, and whatever made somebody harder to reach stays: blocks,
marks, withdrawals and suppressions are loosened by a person's own word, never by taking a file back
(law 3). Somebody whom a later file names as well stays as they are: undo that one first.
"""

# Table and column names come from our own schema, never from a file.

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.imports.models import ImportRun, ImportState
from crm.imports.people.undoing import BACK, undo_people
from crm.imports.schools_undoing import SCHOOLS, undo_schools
from crm.imports.staging import lock_imports, prepare_session

PEOPLE, INTERACTIONS = "people", "interactions"
DEED = "import.undone"


FORGOTTEN = """select exists (
    select from import_line l join alumnus a on a.id = l.alumnus_id
    where l.import_id = :id and l.fate = 'update' and l.changes is null
        and a.merged_into_id is distinct from a.id)"""
"""Whether the facts that an undoing needs are gone, other than those of people who were erased."""


def undo_import(
    session: Session, run: ImportRun, *, at: datetime, by: Viewer | None
) -> dict[str, int]:
    """Undo an applied import; answers `removed`, `restored` and `kept`, in people or lines.

    Raises `Conflict` for an import that is not applied. The caller commits: all of it or nothing.
    """
    if run.state is not ImportState.APPLIED:
        raise Conflict("Only an import that was applied, and not undone before, can be undone.")
    if session.scalar(text(FORGOTTEN), {"id": run.id}):
        raise Conflict(
            "What the lines of this file said was let go by the retention schedule, so that it"
            " can no longer be undone."
        )
    lock_imports(session)
    prepare_session(session)
    if run.kind == PEOPLE:
        done = undo_people(session, run, derived=extensions().derived)
    elif run.kind == SCHOOLS:
        done = undo_schools(session, run)
    elif run.kind == INTERACTIONS:
        done = {"removed": _forget_interactions(session, run.id), "restored": 0, "kept": 0}
    else:
        removed = extensions().undoers[run.kind](session, run.id)
        done = {"removed": removed, "restored": 0, "kept": 0}
    if run.kind not in {PEOPLE, SCHOOLS}:
        _note_taken_back(session, run.id)
    run.state = ImportState.REVERTED
    run.mapping = {**run.mapping, "undone": {**done, "at": at.isoformat()}}
    audit.record(session, DEED, kind="import", key=run.id, by=by, at=at, totals=done)
    session.flush()
    session.expire_all()
    return done


def _note_taken_back(session: Session, import_id: int) -> None:
    session.execute(
        text("update import_line set undone = :back where import_id = :id and fate = 'create'"),
        {"back": BACK, "id": import_id},
    )


def _forget_interactions(session: Session, import_id: int) -> int:
    done = session.execute(
        text("delete from interaction where origin = :origin"), {"origin": f"import:{import_id}"}
    )
    return int(done.rowcount)  # type: ignore[attr-defined]
