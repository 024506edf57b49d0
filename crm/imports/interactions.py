"""Interactions from a file: COPY into a stage, people and schools looked up in sets, one INSERT.

Columns: person_id, occurred_at, kind, mode, school_id, hours, amount, note. The same line again,
in this file or another, is the same interaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.viewer import Viewer
from crm.imports.fixed import FixedColumns, FixedRow, FoundColumns
from crm.imports.histories import close, keep_new
from crm.imports.models import ImportRun
from crm.imports.person_ids import resolve_people
from crm.imports.reader import open_table
from crm.imports.service import digest, start_run
from crm.imports.staging import (
    Progress,
    copy_rows,
    create_stage,
    lock_imports,
    prepare_session,
)
from crm.imports.values import Cache, clean, parse_moment
from crm.interactions.models import Mode
from crm.schools.aliases import keys_of
from crm.schools.queries import alias_table

INTERACTIONS = "interactions"
STAGE = "import_interaction"
COLUMNS = FixedColumns(
    required=("person_id", "occurred_at", "kind", "mode"),
    optional=("school_id", "hours", "amount", "note"),
)
STAGED = {
    "line": "integer not null", "reason": "text", "person_id": "text", "alumnus_id": "bigint",
    "occurred_at": "timestamptz", "kind": "text", "mode": "text", "school_id": "bigint",
    "hours": "numeric", "amount": "numeric", "note": "text",
}  # fmt: skip
KEY = """'file:' || md5(concat_ws('|', s.alumnus_id, extract(epoch from s.occurred_at), s.kind,
    s.mode, coalesce(s.school_id, 0), coalesce(s.hours, -1), coalesce(s.amount, -1), s.note))"""
SAME = ("alumnus_id", "occurred_at", "kind", "mode", "school_id", "hours", "amount", "note")
VALUES = {**{name: f"s.{name}" for name in SAME}, "origin": ":origin", "machine": "false"}
MAX_NOTE = 2_000
MAX_HOURS, MAX_AMOUNT = Decimal(10_000), Decimal(1_000_000_000)
MODES = frozenset(mode.value for mode in Mode)
_KIND = re.compile(r"[a-z][a-z0-9_]{0,59}")


@dataclass
class Parsers:
    """Remembered readings of the cells that repeat."""

    at: datetime
    schools: dict[tuple[str, str], int]
    moments: Cache[datetime] = field(init=False)
    school_ids: Cache[int | None] = field(init=False)

    def __post_init__(self) -> None:
        self.moments = Cache(parse_moment)
        self.school_ids = Cache(self._school)

    def _school(self, name: str) -> int | None:
        return next((self.schools[key] for key in keys_of(name) if key in self.schools), None)

    def stage(self, row: FixedRow) -> tuple[Any, ...]:
        """A staged tuple; one whose line cannot be read carries the reason and nothing else."""
        line, cells = row
        try:
            return (line, None, *self._values([clean(cell) for cell in cells]))
        except ValueError as error:
            return (line, str(error)[:300], *(None,) * (len(STAGED) - 2))

    def _values(self, cells: list[str]) -> tuple[Any, ...]:
        person, moment, kind, mode, school, hours, amount, note = cells
        if not person or len(person) > 200:
            raise ValueError("person_id is blank" if not person else "person_id is too long")
        occurred_at = self.moments[moment] if moment else _blank("occurred_at")
        if not occurred_at.year >= 1900 or occurred_at > self.at + timedelta(days=1):
            raise ValueError(f"occurred_at {moment[:40]} lies in the future or before 1900")
        kind = kind.lower().replace(" ", "_").replace("-", "_")
        if not _KIND.fullmatch(kind):
            raise ValueError(f"kind “{kind[:40]}” is no word of letters, digits and _")
        if mode.lower() not in MODES:
            raise ValueError(f"mode “{mode[:40]}” is none of {', '.join(sorted(MODES))}")
        school_id = self.school_ids[school] if school else None
        if school and school_id is None:
            raise ValueError(f"school_id: no school is called “{school[:60]}”")
        if len(note) > MAX_NOTE:
            raise ValueError(f"note has more than {MAX_NOTE:,} characters")
        return (
            person, None, occurred_at, kind, mode.lower(), school_id,
            _number(hours, "hours", MAX_HOURS), _number(amount, "amount", MAX_AMOUNT), note,
        )  # fmt: skip


def _blank(name: str) -> Any:
    raise ValueError(f"{name} is blank")


def _number(cell: str, name: str, limit: Decimal) -> Decimal | None:
    if not cell:
        return None
    try:
        number = Decimal(cell.replace("$", "").replace(",", ""))
    except InvalidOperation as error:
        raise ValueError(f"{name} “{cell[:40]}” is no number") from error
    if not number.is_finite() or not 0 <= number < limit:
        raise ValueError(f"{name} {cell[:40]} is below 0 or not below {limit:,}")
    return number.quantize(Decimal("0.01"))


def import_interactions(
    session: Session,
    path: Path,
    *,
    at: datetime,
    by: Viewer | None,
    progress: Progress | None = None,
) -> ImportRun:
    """Record the interactions of a file; totals: created, unchanged, rejected.

    Raises `Refused` when the file as a whole cannot be read. The caller commits: all or nothing.
    """
    table = open_table(path)
    columns = COLUMNS.find(table)
    run = start_run(session, INTERACTIONS, table.name, at=at, by=by)
    _stage(session, columns, at, progress)
    resolve_people(session, STAGE)
    # The same history brought twice at once would wait on each other line by line.
    lock_imports(session)
    totals = keep_new(
        session, run, stage=STAGE, table="interaction", key=KEY, values=VALUES
    )  # fmt: skip
    close(
        session, run, totals=totals, sha256=digest(path), unread=columns.unread, by=by, at=at
    )  # fmt: skip
    return run


def _stage(
    session: Session, columns: FoundColumns, at: datetime, progress: Progress | None
) -> None:
    """COPY the lines into the stage."""
    prepare_session(session)
    create_stage(session, STAGE, STAGED)
    parsers = Parsers(at, dict(alias_table(session)))
    nothing = (None,) * (len(STAGED) - 2)

    def staged() -> Iterator[list[tuple[Any, ...]]]:
        for rows, faults in columns.batches():
            yield [parsers.stage(row) for row in rows]
            yield [(line, reason, *nothing) for line, reason in faults]

    copy_rows(session, STAGE, list(STAGED), staged(), progress=progress)
    session.execute(text(f"analyze {STAGE}"))
