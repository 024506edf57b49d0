"""The district's schools from an NCES-style file: ids as text, gaps coded, clusters beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Fault, Refused, fault_at
from crm.core.viewer import Viewer
from crm.imports.bundle import ORGS, opened
from crm.imports.layout import header_key
from crm.imports.models import Fate, ImportLine, ImportRun, ImportState
from crm.imports.orgs import is_orgs, school_facts
from crm.imports.reader import Table, open_table
from crm.imports.reasons import line_fault
from crm.imports.schools_undoing import SCHOOLS
from crm.imports.service import digest, start_run
from crm.imports.values import clean
from crm.schools.aliases import nces_key
from crm.schools.models import SchoolLevel, SchoolStatus
from crm.schools.service import Outcome, SchoolFacts, save_schools

COLUMNS = {
    "nces": ("NCESSCH", "NCES ID", "NCES School ID", "NCES", "School ID - NCES Assigned"),
    "leaid": ("LEAID", "LEA ID", "Agency ID - NCES Assigned"),
    "schno": ("SCHNO", "School Number NCES"),
    "name": ("SCH_NAME", "SCHNAM", "name", "School Name", "School"),
    "level": ("level", "SCH_TYPE_TEXT", "School Level", "LEVEL_TEXT"),
    "street": ("LSTREET1", "LSTREET", "street", "address", "Street Address"),
    "city": ("LCITY", "city", "Town"),
    "state": ("LSTATE", "state", "ST"),
    "postal_code": ("LZIP", "zip", "Zip Code", "Postal Code"),
    "status": ("SY_STATUS", "status", "SY_STATUS_TEXT", "School Status"),
    "cluster": ("cluster", "Cluster Name", "Feeder Pattern", "Feeder"),
    "code": ("code", "local_code", "School Code", "School Number", "SchoolID", "SIS ID"),
    "state_code": ("ST_SCHID", "State School ID", "SEASCH"),
}  # fmt: skip
MISSING = frozenset({"m", "n", "-1", "-2", "-9", "†", "–", "na", "n/a"})
LEVELS = {
    "elementary": SchoolLevel.ELEMENTARY, "primary": SchoolLevel.ELEMENTARY,
    "1": SchoolLevel.ELEMENTARY, "prekindergarten": SchoolLevel.ELEMENTARY,
    "middle": SchoolLevel.MIDDLE, "2": SchoolLevel.MIDDLE,
    "high": SchoolLevel.HIGH, "secondary": SchoolLevel.HIGH, "3": SchoolLevel.HIGH,
    "other": SchoolLevel.OTHER, "4": SchoolLevel.OTHER, "ungraded": SchoolLevel.OTHER,
    "adult education": SchoolLevel.OTHER, "not applicable": SchoolLevel.OTHER,
}  # fmt: skip
STATUSES = {
    "1": SchoolStatus.OPEN, "3": SchoolStatus.OPEN, "4": SchoolStatus.OPEN, "5": SchoolStatus.OPEN,
    "8": SchoolStatus.OPEN, "open": SchoolStatus.OPEN, "new": SchoolStatus.OPEN,
    "added": SchoolStatus.OPEN, "changed boundary/agency": SchoolStatus.OPEN,
    "reopened": SchoolStatus.OPEN, "active": SchoolStatus.OPEN, "2": SchoolStatus.CLOSED,
    "6": SchoolStatus.CLOSED, "7": SchoolStatus.CLOSED, "closed": SchoolStatus.CLOSED,
    "inactive": SchoolStatus.CLOSED, "future": SchoolStatus.CLOSED,
}  # fmt: skip


@dataclass
class SchoolsReport:
    """What a file of schools did; `problems` names each rejected line, `lines` why each was."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    problems: list[Fault] = field(default_factory=list)
    lines: dict[int, str] = field(default_factory=dict)
    import_id: int = 0


def import_schools(
    session: Session,
    path: Path,
    *,
    at: datetime,
    by: Viewer | None,
    name: str | None = None,
) -> SchoolsReport:
    """Create and update clusters and schools by NCES id; the same file twice changes nothing.

    The fate of every line is kept, with what it changed, so that the file can be undone.

    Also takes OneRoster's `orgs.csv`, alone or in its folder or zip.

    Raises `Refused` if the file cannot be read or none of its lines is a school.
    """
    report = SchoolsReport()
    with opened(path, ORGS) as part:
        table = open_table(part.path, name or part.name)
        orgs = is_orgs(table)
        told = list(school_facts(table) if orgs else _facts(table, _places(table), report))
        sha256 = digest(part.path)
    if not told and report.problems:
        raise Refused(report.problems[:20])
    run = start_run(session, SCHOOLS, table.name, at=at, by=by)
    saved = save_schools(session, [facts for _line, facts in told], at=at)
    report.created, report.updated = saved.created, saved.updated
    report.unchanged, report.import_id = saved.unchanged, run.id
    session.add_all(
        _line(run.id, line, facts, done)
        for (line, facts), done in zip(told, saved.outcomes, strict=True)
    )
    _close(session, run, report, sha256, at)
    audit.record(
        session, "schools.imported", kind="import", key=run.id, by=by, at=at,
        created=saved.created, updated=saved.updated,
    )  # fmt: skip
    session.flush()
    return report


def _close(
    session: Session, run: ImportRun, report: SchoolsReport, sha256: str, at: datetime
) -> None:
    """Keep the rejected lines as well, and how many met which fate."""
    session.add_all(
        ImportLine(import_id=run.id, line=line, fate=Fate.REJECT, reason=reason)
        for line, reason in report.lines.items()
    )
    run.totals = {
        Fate.CREATE.value: report.created, Fate.UPDATE.value: report.updated,
        Fate.UNCHANGED.value: report.unchanged, Fate.REJECT.value: report.rejected,
    }  # fmt: skip
    run.state, run.applied_at, run.sha256 = ImportState.APPLIED, at, sha256
    run.lines_done = run.lines_total = sum(run.totals.values())


def _line(import_id: int, line: int, facts: SchoolFacts, done: Outcome) -> ImportLine:
    """The fate of a line; `made` is what undoing it needs besides."""
    fate = Fate.CREATE if done.new else Fate.UPDATE if done.changed else Fate.UNCHANGED
    moved = {name: both for name, both in done.fields.items() if name == "cluster_id"}
    made = {
        "school": done.school_id, "aliases": done.aliases, "notes": done.notes,
        "cluster": done.cluster_id, "moved": moved,
    }  # fmt: skip
    fields = {name: both for name, both in done.fields.items() if name not in moved}
    if done.new:
        fields["name"] = [None, facts.name]
    if moved:
        fields["cluster"] = [*done.clusters]
    changes = {"fields": fields, "made": made} if fate is not Fate.UNCHANGED else None
    named = facts.nces_id or next(iter(facts.codes), facts.name)
    return ImportLine(
        import_id=import_id, line=line, fate=fate, external_id=named[:200], changes=changes
    )


def _places(table: Table) -> dict[str, int]:
    """Field → column index; raises `Refused` if there is no column for the name."""
    by_key = {header_key(title): n for n, title in reversed(list(enumerate(table.header)))}
    places = {}
    for name, titles in COLUMNS.items():
        found = [by_key[key] for title in titles if (key := header_key(title)) in by_key]
        if found:
            places[name] = found[0]
    if "name" not in places:
        fault = (
            "no column holds the school's name; call it SCH_NAME or name "
            "(the columns are %(columns)s)"
        )
        place, columns = f"{table.name}:{table.header_line}", ", ".join(table.header[:12])
        raise Refused([fault_at(place, fault, columns=columns)])
    return places


def _facts(
    table: Table, places: dict[str, int], report: SchoolsReport
) -> Iterator[tuple[int, SchoolFacts]]:
    for batch in table.batches():
        for line, reason in batch.faults:
            report.rejected += 1
            report.lines[line] = reason
            report.problems.append(line_fault(f"{table.name}:{line}", reason))
        for line, cells in zip(batch.lines, batch.rows, strict=True):
            values = {name: _cell(cells[index]) for name, index in places.items()}
            try:
                yield line, _school(values)
            except ValueError as error:
                report.rejected += 1
                column, reason = error.args
                report.lines[line] = reason
                title = places.get(column)
                named = f":{title + 1}" if title is not None else ""
                report.problems.append(line_fault(f"{table.name}:{line}{named}", reason))


def _cell(text: str) -> str:
    """The text of a cell; the codes for a missing value count as blank."""
    plain = clean(text)
    return "" if plain.casefold() in MISSING else plain


def _school(values: dict[str, str]) -> SchoolFacts:
    """One school; raises `ValueError(column, reason)`."""
    name = values["name"]
    if not name:
        raise ValueError("name", "the school has no name")
    if len(name) > 200:
        raise ValueError("name", "the name is longer than 200 characters")
    codes = tuple(c for c in (values.get("code"), values.get("state_code")) if c)
    return SchoolFacts(
        name=name,
        nces_id=_nces(values),
        level=_level(values.get("level", "")),
        status=_status(values.get("status", "")),
        cluster=(values.get("cluster") or "")[:200] or None,
        codes=codes,
        **{n: values.get(n) or None for n in ("street", "city", "state", "postal_code")},
    )


def _nces(values: dict[str, str]) -> str | None:
    text = values.get("nces", "")
    column = "nces"
    if not text and values.get("leaid") and values.get("schno"):
        text = f"{values['leaid'].zfill(7)}{values['schno'].zfill(5)}"
        column = "schno"
    if not text:
        return None
    found = nces_key(text)
    if found is None:
        raise ValueError(column, f"“{text[:40]}” is no NCES id: it has 12 digits (LEAID + SCHNO)")
    return found


def _word(text: str) -> str:
    """`3-High School`, `High` and `high school` as one word."""
    plain = text.casefold()
    return plain.split("-", 1)[-1].strip().removesuffix(" school").strip()


def _level(text: str) -> SchoolLevel | None:
    """The level, or None for a blank; one of its own kind (K-12, charter) is `other`."""
    if not text:
        return None
    return LEVELS.get(text.casefold()) or LEVELS.get(_word(text)) or SchoolLevel.OTHER


def _status(text: str) -> SchoolStatus | None:
    if not text:
        return None
    found = STATUSES.get(text.casefold()) or STATUSES.get(_word(text))
    if found is None:
        known = ", ".join(sorted(STATUSES))
        raise ValueError("status", f"“{text[:40]}” is no status we know ({known})")
    return found
