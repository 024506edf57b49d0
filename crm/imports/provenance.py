"""Who said a field of a record: which file and line, which person, or the alumnus by their link.

Nothing is written for it beside what is kept anyway: the line that made a record stands in the
record, later files in their lines, edits in the audit trail, merges where they are. Only what a
file said and was not taken over has rows of its own (`file_word`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.alumni.models import Alumnus
from crm.core.extend import extensions
from crm.imports.layouts import LAYOUTS
from crm.imports.models import FileWord, ImportLine, ImportRun
from crm.imports.people.undoing import BACK
from crm.imports.people.words import FIELDS

FILE, STAFF, LINK, MERGE, UNKNOWN = "file", "staff", "link", "merge", "unknown"
LATEST = 200
"""So many changes of a record are looked at, the latest ones."""


@dataclass(frozen=True)
class Said:
    """One word about a field: the value as text, by what way it came, and whose.

    `source` is file, staff, link, merge or unknown; `who` a file's name, an account's, a record's
    number. `education` marks a student system's file: an education record under FERPA, which what
    alumni tell us is not.
    """

    value: str | None
    source: str
    at: datetime | None = None
    who: str = ""
    import_id: int | None = None
    line: int | None = None
    education: bool = False

    def as_json(self) -> dict[str, Any]:
        """The word plain, without what is not known."""
        plain = {k: v for k, v in asdict(self).items() if v not in (None, "")}
        return {**plain, **({"at": self.at.isoformat()} if self.at else {})}


@dataclass(frozen=True)
class Standing:
    """What stands in a field: who said it, and what files say otherwise, the latest first."""

    field: str
    origin: Said
    otherwise: tuple[Said, ...]


def where_from(session: Session, alumnus_id: int) -> list[Standing]:
    """Every field of a record that holds something, or of which a file says something else."""
    person = session.get_one(Alumnus, alumnus_id)
    told = _told(session, person)
    other = _otherwise(session, alumnus_id)
    found = []
    for name in FIELDS:
        now = plain(getattr(person, name))
        words = told.get(name, [])
        origin = next((said for said in words if said.value == now), None)
        files = [*other.get(name, ()), *(said for said in words if said.source == FILE)]
        latest = max(files, key=lambda said: said.at or person.created_at, default=None)
        otherwise = (latest,) if latest is not None and latest.value != now else ()
        if now is not None or otherwise:
            found.append(Standing(name, origin or Said(now, UNKNOWN), otherwise))
    return found


def as_json(session: Session, alumnus_id: int) -> dict[str, Any]:
    """By field who said it, for `people show` and `people export`."""
    return {
        standing.field: {
            **standing.origin.as_json(),
            **(
                {"otherwise": [said.as_json() for said in standing.otherwise]}
                if standing.otherwise
                else {}
            ),
        }
        for standing in where_from(session, alumnus_id)
    }


def plain(value: Any) -> str | None:
    """A value as text; blank is nothing."""
    if value in (None, ""):
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def _told(session: Session, person: Alumnus) -> Mapping[str, list[Said]]:
    """By field, every word about it, the latest first, with the one that made the record last."""
    changes = [*_by_files(session, person.id), *_by_people(session, person.id)]
    for tell in extensions().told:
        changes += [
            (at, MERGE, {"who": who}, fields) for at, who, fields in tell(session, person.id)
        ]
    changes.sort(key=lambda change: change[0], reverse=True)
    found: dict[str, list[Said]] = defaultdict(list)
    first: dict[str, str | None] = {}
    for at, source, more, fields in changes:
        for name, (before, after) in fields.items():
            found[name].append(Said(plain(after), source, at, **more))
            first[name] = plain(before)
    made = made_of(session, person)
    if made is not None:
        for name in FIELDS:
            value = first.get(name, plain(getattr(person, name)))
            if value is not None:
                found[name].append(Said(value, FILE, person.created_at, **made))
    return found


Change = tuple[datetime, str, dict[str, Any], Mapping[str, Any]]


def _by_files(session: Session, alumnus_id: int) -> list[Change]:
    return [
        (at, FILE, file, changes.get("fields", {}))
        for at, file, changes in lines_of(session, alumnus_id)
    ]


def lines_of(
    session: Session, alumnus_id: int
) -> list[tuple[datetime, dict[str, Any], Mapping[str, Any]]]:
    """What files changed of a record and still stands, the latest first: when, file, changes."""
    rows = session.execute(
        select(ImportLine, ImportRun)
        .join(ImportRun, ImportRun.id == ImportLine.import_id)
        .where(
            ImportLine.alumnus_id == alumnus_id, ImportLine.changes.is_not(None),
            ImportRun.applied_at.is_not(None),
            ImportLine.undone.is_distinct_from(BACK),
        )
        .order_by(ImportLine.import_id.desc())
        .limit(LATEST)
    )  # fmt: skip
    return [
        (run.applied_at, file_of(run, line.line), line.changes or {})
        for line, run in rows
        if run.applied_at is not None
    ]


def _by_people(session: Session, alumnus_id: int) -> list[Change]:
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.detail, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(
            AuditEntry.object_kind == "alumnus", AuditEntry.object_id == str(alumnus_id),
            AuditEntry.action == "alumnus.edited",
        )
        .order_by(AuditEntry.id.desc())
        .limit(LATEST)
    )  # fmt: skip
    return [
        (at, LINK if detail.get("source") == LINK else STAFF, {"who": name or ""}, _both(detail))
        for at, detail, name in rows
    ]


def _both(detail: Mapping[str, Any]) -> dict[str, Any]:
    before = detail.get("before", {})
    return {name: (before.get(name), value) for name, value in detail.get("after", {}).items()}


def made_of(session: Session, person: Alumnus) -> dict[str, Any] | None:
    """The file and line that the record came from, if that is known."""
    kind, _, number = (person.made_by or "").partition(":")
    run = session.get(ImportRun, int(number)) if kind == "import" and number.isdecimal() else None
    return file_of(run, person.made_line) if run is not None else None


def file_of(run: ImportRun, line: int | None) -> dict[str, Any]:
    layout = LAYOUTS.get(run.layout or "")
    roster = layout is not None and layout.roster
    return {"who": run.filename, "import_id": run.id, "line": line, "education": roster}


def _otherwise(session: Session, alumnus_id: int) -> Mapping[str, list[Said]]:
    rows = session.execute(
        select(FileWord, ImportRun)
        .join(ImportRun, ImportRun.id == FileWord.import_id)
        .where(FileWord.alumnus_id == alumnus_id)
        .order_by(FileWord.id.desc())
        .limit(LATEST)
    )
    found: dict[str, list[Said]] = defaultdict(list)
    for word, run in rows:
        found[word.field].append(Said(word.value, FILE, word.at, **file_of(run, word.line)))
    return found
