"""Past asks from a file: COPY into a stage, people looked up in sets, one INSERT.

Columns: person_id, asked_at, way, answered_at, answer (accepted, declined or none). One person
asked for one way at one moment is one ask, in whatever file it comes again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.viewer import Viewer
from crm.imports.fixed import FixedColumns, FixedRow
from crm.imports.histories import close, keep_new
from crm.imports.models import ImportRun
from crm.imports.person_ids import resolve_people
from crm.imports.reader import open_table
from crm.imports.service import digest, start_run
from crm.imports.staging import copy_rows, create_stage, lock_imports, prepare_session
from crm.imports.values import Cache, clean, parse_moment

KIND = "asks"
STAGE = "import_ask"
COLUMNS = FixedColumns(
    required=("person_id", "asked_at", "way"), optional=("answered_at", "answer")
)
STAGED = {
    "line": "integer not null", "reason": "text", "person_id": "text", "alumnus_id": "bigint",
    "asked_at": "timestamptz", "way": "text", "answered_at": "timestamptz", "answer": "text",
}  # fmt: skip
KEY = """'file:' || md5(concat_ws('|', s.alumnus_id, s.way, extract(epoch from s.asked_at)))"""
VALUES = {
    "alumnus_id": "s.alumnus_id", "way_key": "s.way", "state": "s.answer",
    "asked_at": "s.asked_at", "answered_at": "s.answered_at", "wave": "1",
    "chosen_by": "'history'", "reasons": "'[]'::jsonb", "note": "''", "import_id": ":id",
}  # fmt: skip
ANSWERS = {
    "accepted": "accepted", "yes": "accepted", "declined": "declined", "no": "declined",
    "none": "none", "": "none",
}  # fmt: skip
_WAY = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass
class Parsers:
    """Remembered readings of the cells that repeat."""

    at: datetime
    moments: Cache[datetime] = field(default_factory=lambda: Cache(parse_moment))

    def stage(self, row: FixedRow) -> tuple[Any, ...]:
        """A staged tuple; one whose line cannot be read carries the reason and nothing else."""
        line, cells = row
        try:
            return (line, None, *self._values([clean(cell) for cell in cells]))
        except ValueError as error:
            return (line, str(error)[:300], *(None,) * (len(STAGED) - 2))

    def _values(self, cells: list[str]) -> tuple[Any, ...]:
        person, asked, way, answered, answer = cells
        if not person or len(person) > 200:
            raise ValueError("person_id is blank" if not person else "person_id is too long")
        if not asked:
            raise ValueError("asked_at is blank")
        way = way.lower().replace(" ", "_").replace("-", "_")
        if not _WAY.fullmatch(way):
            raise ValueError(f"way “{way[:40]}” is no word of letters, digits and _")
        if answer.lower() not in ANSWERS:
            raise ValueError(f"answer “{answer[:40]}” is none of accepted, declined, none")
        state = ANSWERS[answer.lower()]
        asked_at = self._moment(asked, "asked_at")
        answered_at = self._moment(answered, "answered_at") if answered else None
        if answered_at is not None and answered_at < asked_at:
            raise ValueError("answered_at lies before asked_at")
        if state == "none" and answered_at is not None:
            raise ValueError("answered_at is given, but answer is none")
        return person, None, asked_at, way, answered_at, state

    def _moment(self, cell: str, name: str) -> datetime:
        moment = self.moments[cell]
        if moment.year < 1900 or moment > self.at + timedelta(days=1):
            raise ValueError(f"{name} {cell[:40]} lies in the future or before 1900")
        return moment


def import_asks(
    session: Session,
    path: Path,
    *,
    at: datetime,
    by: Viewer | None,
    progress: Callable[[int], None] | None = None,
) -> ImportRun:
    """Record the past asks of a file; totals: created, unchanged, rejected.

    Ways that nobody offers yet are added, not offered. Raises `Refused` when the file as a whole
    cannot be read. The caller commits: all or nothing.
    """
    table = open_table(path)
    columns = COLUMNS.find(table)
    run = start_run(session, KIND, table.name, at=at, by=by)
    prepare_session(session)
    create_stage(session, STAGE, STAGED)
    parsers = Parsers(at)

    def staged() -> Iterator[list[tuple[Any, ...]]]:
        nothing = (None,) * (len(STAGED) - 2)
        for rows, faults in columns.batches():
            yield [parsers.stage(row) for row in rows]
            yield [(line, reason, *nothing) for line, reason in faults]

    copy_rows(session, STAGE, list(STAGED), staged(), progress=progress)
    session.execute(text(f"analyze {STAGE}"))
    resolve_people(session, STAGE)
    lock_imports(session)
    _add_ways(session)
    totals = keep_new(session, run, stage=STAGE, table="ask", key=KEY, values=VALUES)
    close(
        session, run, totals=totals, sha256=digest(path), unread=columns.unread, by=by, at=at
    )  # fmt: skip
    return run


def _add_ways(session: Session) -> None:
    """Ways that only history knows: kept for the model, offered to nobody."""
    session.execute(
        text(
            """insert into way (key, label, offered, position)
            select distinct way, initcap(replace(way, '_', ' ')), false, 900
            from import_ask where reason is null on conflict (key) do nothing"""
        )
    )


def forget_asks(session: Session, import_id: int) -> int:
    """Take the asks that a file told of out again; answers how many."""
    done = session.execute(text("delete from ask where import_id = :id"), {"id": import_id})
    return int(done.rowcount)  # type: ignore[attr-defined]
