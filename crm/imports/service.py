"""The verbs of imports: upload, check (a dry run), apply, cancel; and all at once for a command."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Subject, Way
from crm.alumni.names import words
from crm.core.errors import Refused, fault_at
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.imports.broken import Breaks
from crm.imports.bundle import opened
from crm.imports.custom import fields_report, keep_fields, readers
from crm.imports.mapping import Directions, Plan, plan_for
from crm.imports.models import ImportRun, ImportState, Phase
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
    copy_text,
    create_stage,
    lock_imports,
    prepare_session,
)
from crm.schools.aliases import keys_of
from crm.schools.queries import alias_table

STAGE = "import_row"
PEOPLE = "people"


class Watch:
    """Is told how a check or an apply comes along; this one only passes on how many lines."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress

    def lines(self, count: int) -> None:
        """So many more lines are read."""
        if self.progress:
            self.progress(count)

    def phase(self, phase: Phase) -> None:
        """The next part begins."""

    def closing(self, session: Session) -> None:
        """Everything is done but for saying so: the last moment to raise."""


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
    up_to_break: bool = False,
    progress: Progress | None = None,
) -> ImportRun:
    """Read a people file, or a OneRoster folder or zip, and apply it or say what would happen.

    `up_to_break`: of a file that breaks off, take the lines before the break; what broke is kept
    in `mapping["cut"]`.

    Raises `Refused` (file, line, reason) when the file as a whole cannot be read; single bad lines
    are rejected and counted in `totals`. The caller commits: all of it or nothing.
    """
    with opened(path) as part:
        table = open_table(part.path, part.name)
        if up_to_break:
            table = replace(table, breaks=Breaks())
        plan = plan_for(table, layout, replace(directions or Directions(), orgs=part.orgs))
        run = start_run(session, PEOPLE, table.name, at=at, by=by)
        job = Job(run, table, plan, schema_for(plan), at)
        run_people(session, job, by=by, apply=not dry_run, watch=Watch(progress))
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
    session: Session, job: Job, *, by: Viewer | None, apply: bool, watch: Watch | None = None
) -> None:
    """Stage, match, compare and note the fate of every line; with `apply` write it all as well."""
    watch = watch or Watch()
    prepare_session(session)
    watch.phase(Phase.READING)
    rows, memory, read = _stage(session, job, lock=apply, watch=watch)
    if read:
        watch.phase(Phase.COMPARING)
        merge_lines(session)
        find_changes(session, job.schema, Rules(job.plan.layout.roster, job.at.date()))
    if read and apply:
        watch.phase(Phase.WRITING)
        write_people(
            session, job.schema, source=job.source, filename=job.run.filename, at=job.at
        )  # fmt: skip
        keep_words(session, import_id=job.run.id, at=job.at)
    watch.phase(Phase.NOTING)
    totals = note_fates(session, job.schema, import_id=job.run.id, applied=apply, read=read)
    if apply and memory:
        domains = rows.contacts.school_domains
        remember(session, job.schema, memory, domains, job.at, read=read)
    unknown = {
        "unknown_schools": dict(rows.unknown_schools.most_common(50)),
        "unknown_statuses": dict(rows.schoolings.unknown_statuses.most_common(50)),
    }
    watch.closing(session)
    _note_run(session, job, totals, unknown, by=by, applied=apply)


def _stage(
    session: Session, job: Job, *, lock: bool, watch: Watch
) -> tuple[Rows, Memory | None, bool]:
    """Stage the lines that are not known from an earlier file and match them.

    Answers last whether there are any: if all are known, nothing is left to be compared.
    With `lock` nobody else makes people from the matching on: two imports of one file would make
    doubles.
    """
    progress: Progress | None = watch.lines
    memory = recall(session, job.table, job.plan, job.at.date()) if job.schema.systems else None
    create_stage(session, SETTLED, SETTLED_COLUMNS)
    if memory and memory.file_id:
        seen = see_lines(session, job.table, job.schema, progress)
        if lock:
            lock_imports(session)
        if known := settle(session, memory, seen):
            rows = _copy(session, job, known, memory.school_domains)
            if known.all:
                return rows, memory, False
            watch.phase(Phase.MATCHING)
            match_lines(session, job.schema)
            if is_apart(session, job.schema):
                return rows, memory, True
            create_stage(session, SETTLED, SETTLED_COLUMNS)
        progress = None
    rows = _copy(session, job, progress=progress)
    watch.phase(Phase.MATCHING)
    if lock:
        lock_imports(session)
    match_lines(session, job.schema)
    return rows, memory, True


def _copy(
    session: Session,
    job: Job,
    known: Known | None = None,
    school_domains: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> Rows:
    """COPY the normalised lines into the stage, but for those that are known."""
    create_stage(session, STAGE, job.schema.columns)
    today = job.at.date()
    rows = Rows(
        job.plan, job.schema, job.table, schools=_schools(session, job),
        words_of=_words_of(session), customs=readers(session, job.plan, today), today=today,
    )  # fmt: skip
    rows.contacts.school_domains |= school_domains
    if known and known.all:
        return rows
    copy_text(session, STAGE, job.schema.copied, rows.staged(known, progress))
    session.execute(text(f"create index on {STAGE} (line)"))
    session.execute(text("set local default_statistics_target = 10"))
    session.execute(text(f"analyze {STAGE}"))
    return rows


def _schools(session: Session, job: Job) -> Mapping[tuple[str, str], int]:
    """The names of schools, with what the mapping adds to them."""
    schools = dict(alias_table(session))
    for name, texts in job.plan.orgs.items():
        found = next((schools[k] for text in texts for k in keys_of(text) if k in schools), None)
        if found is not None:
            schools.update(dict.fromkeys(keys_of(name), found))
    faults = []
    for name, known in job.plan.schools.items():
        found = next((schools[key] for key in keys_of(known) if key in schools), None)
        if found is None:
            place = f"mapping: schools {name!r}"
            faults.append(fault_at(place, "no school is called “%(known)s”", known=known))
        else:
            schools.update(dict.fromkeys(keys_of(name), found))
    if faults:
        raise Refused(faults)
    return schools


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
    unknown: dict[str, dict[str, int]],
    *,
    by: Viewer | None,
    applied: bool,
) -> None:
    run = job.run
    run.layout = job.plan.layout.key
    fields = fields_report(session, job.plan)
    run.mapping = {**run.mapping, **job.plan.as_json(), **unknown, "fields": fields}
    if broken := job.table.breaks and job.table.breaks.found:
        run.mapping = {**run.mapping, "cut": {"line": broken.line, "why": str(broken)}}
    run.totals, run.phase = totals, None
    run.lines_done = run.lines_total = sum(totals.values())
    run.sha256 = digest(job.table.path)
    run.error = None
    run.state = ImportState.APPLIED if applied else ImportState.CHECKED
    if applied:
        run.applied_at = job.at
        keep_fields(session, job.plan, job.at)
        audit.record(
            session, "import.applied", kind="import", key=run.id, by=by, at=job.at,
            filename=run.filename, totals=totals,
        )  # fmt: skip
    session.flush()
    for told in extensions().imported if applied else ():
        told(session, run.id)


def digest(path: Path) -> str:
    """The SHA-256 of a file, by which the same file is known again."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
