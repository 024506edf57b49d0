"""The verbs of imports: upload, check (a dry run), apply, cancel; and all at once for a command."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Subject, Way
from crm.alumni.names import words
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.imports.mapping import Directions, Plan, plan_for
from crm.imports.models import CustomField, ImportRun, ImportState
from crm.imports.people.changes import Rules, find_changes
from crm.imports.people.fates import note_fates
from crm.imports.people.matching import match_lines
from crm.imports.people.merging import merge_lines
from crm.imports.people.remembering import (
    SETTLED,
    SETTLED_COLUMNS,
    Known,
    Memory,
    is_apart,
    recall,
    remember,
    settle,
)
from crm.imports.people.rows import Rows
from crm.imports.people.schema import Schema, schema_for
from crm.imports.people.seeing import see_lines
from crm.imports.people.words import keep_words
from crm.imports.people.writing import write_people
from crm.imports.reader import Table, open_table
from crm.imports.staging import (
    Progress,
    copy_rows,
    create_stage,
    lock_imports,
    prepare_session,
)
from crm.imports.targets import custom_name, for_targeting
from crm.schools.queries import alias_table

STAGE = "import_row"
PEOPLE = "people"


@dataclass(frozen=True)
class Job:
    """One reading of one people file."""

    run: ImportRun
    table: Table
    plan: Plan
    schema: Schema
    at: datetime

    @property
    def source(self) -> str:
        """How what the import writes names it."""
        return f"import:{self.run.id}"


def import_people(
    session: Session,
    path: Path,
    *,
    at: datetime,
    by: Viewer | None,
    layout: str = "auto",
    directions: Directions | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportRun:
    """Read a people file and apply it, or only say what would happen.

    Raises `Refused` (file, line, reason) when the file as a whole cannot be read; single bad lines
    are rejected and counted in `totals`. The caller commits: all of it or nothing.
    """
    table = open_table(path)
    plan = plan_for(table, layout, directions or Directions())
    run = start_run(session, PEOPLE, table.name, at=at, by=by)
    job = Job(run, table, plan, schema_for(plan), at)
    run_people(session, job, by=by, apply=not dry_run, progress=progress)
    return run


def start_run(
    session: Session, kind: str, filename: str, *, at: datetime, by: Viewer | None
) -> ImportRun:
    """A new import of a file."""
    run = ImportRun(
        kind=kind, filename=filename[:200], state=ImportState.UPLOADED, created_at=at,
        created_by=by.user_id if by else None, stored_as=None, sha256=None, layout=None,
        mapping={}, totals={}, lines_done=0, lines_total=None, error=None, applied_at=None,
    )  # fmt: skip
    session.add(run)
    session.flush()
    return run


def run_people(
    session: Session, job: Job, *, by: Viewer | None, apply: bool, progress: Progress | None = None
) -> None:
    """Stage, match, compare and note the fate of every line; with `apply` write it all as well."""
    prepare_session(session)
    rows, memory = _stage(session, job, lock=apply, progress=progress)
    merge_lines(session)
    find_changes(session, job.schema, Rules(job.plan.layout.roster, job.at.date()))
    if apply:
        write_people(
            session, job.schema, source=job.source, filename=job.run.filename, at=job.at
        )  # fmt: skip
        keep_words(session, import_id=job.run.id, at=job.at)
    totals = note_fates(session, job.schema, import_id=job.run.id, applied=apply)
    if apply and memory:
        remember(session, job.schema, memory, rows.contacts.school_domains, job.at)
    unknown = dict(rows.unknown_schools.most_common(50))
    _note_run(session, job, totals, unknown, by=by, applied=apply)


def _stage(
    session: Session, job: Job, *, lock: bool, progress: Progress | None
) -> tuple[Rows, Memory | None]:
    """Stage the lines that are not known from an earlier file and match them.

    With `lock` nobody else makes people from the matching on: two imports of one file would make
    doubles.
    """
    memory = recall(session, job.table, job.plan, job.at.date()) if job.schema.systems else None
    create_stage(session, SETTLED, SETTLED_COLUMNS)
    if memory and memory.file_id:
        seen = see_lines(session, job.table, job.plan, job.schema, progress)
        if lock:
            lock_imports(session)
        if known := settle(session, memory, seen):
            rows = _copy(session, job, known, memory.school_domains)
            match_lines(session, job.schema)
            if is_apart(session, job.schema):
                return rows, memory
            create_stage(session, SETTLED, SETTLED_COLUMNS)
        progress = None
    rows = _copy(session, job, progress=progress)
    if lock:
        lock_imports(session)
    match_lines(session, job.schema)
    return rows, memory


def _copy(
    session: Session,
    job: Job,
    known: Known | None = None,
    school_domains: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Rows:
    """COPY the normalised lines into the stage, but for those that are known."""
    create_stage(session, STAGE, job.schema.columns)
    rows = Rows(
        job.plan, job.schema, job.table, schools=alias_table(session),
        words_of=_words_of(session), today=job.at.date(),
    )  # fmt: skip
    rows.contacts.school_domains |= school_domains
    if known is None or not known.all:
        copy_rows(session, STAGE, job.schema.copied, rows.staged(known), progress=progress)
    session.execute(text(f"create index on {STAGE} (line)"))
    session.execute(text("set local default_statistics_target = 10"))
    session.execute(text(f"analyze {STAGE}"))
    return rows


def _words_of(session: Session) -> dict[str, dict[str, str]]:
    """Folded label or key → key, of ways and of subjects."""
    found = {}
    for target, model in (("ways", Way), ("subjects", Subject)):
        rows = session.execute(select(model.key, model.label)).all()
        found[target] = {" ".join(words(t)): key for key, label in rows for t in (key, label)}
        found[target] |= {" ".join(words(key.replace("_", " "))): key for key, _ in rows}
    return found


def _note_run(
    session: Session,
    job: Job,
    totals: dict[str, int],
    unknown: dict[str, int],
    *,
    by: Viewer | None,
    applied: bool,
) -> None:
    run = job.run
    run.layout = job.plan.layout.key
    run.mapping = {**run.mapping, **job.plan.as_json(), "unknown_schools": unknown}
    run.totals = totals
    run.lines_done = run.lines_total = sum(totals.values())
    run.sha256 = digest(job.table.path)
    run.error = None
    run.state = ImportState.APPLIED if applied else ImportState.CHECKED
    if applied:
        run.applied_at = job.at
        _keep_custom_fields(session, job.plan, job.at)
        audit.record(
            session, "import.applied", kind="import", key=run.id, by=by, at=job.at,
            filename=run.filename, totals=totals,
        )  # fmt: skip
    session.flush()
    for told in extensions().imported if applied else ():
        told(session, run.id)


def _keep_custom_fields(session: Session, plan: Plan, at: datetime) -> None:
    """Remember the custom fields a mapping named, and which of them are for targeting."""
    for target in plan.targets():
        name = custom_name(target)
        if name is None:
            continue
        title = next(c.title for c in plan.columns if c.target == target)
        marked = for_targeting(target)
        statement = insert(CustomField).values(
            key=name, label=title, targeting=marked, created_at=at
        )
        update: dict[str, Any] = {"targeting": True} if marked else {"key": name}
        session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=update))


def digest(path: Path) -> str:
    """The SHA-256 of a file, by which the same file is known again."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
