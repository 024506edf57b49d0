"""Records what happened, once, however often it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.core.database import given_rows, given_table
from crm.interactions.models import Interaction, Mode

BATCH = 5_000
TABLE = cast(Table, Interaction.__table__)
DEFAULTS: Mapping[str, Any] = {
    "school_id": None, "hours": None, "amount": None, "pupils": None,
    "note": "", "origin": "", "machine": False,
}  # fmt: skip
REQUIRED = ("alumnus_id", "occurred_at", "kind", "mode", "dedupe_key")
COLUMNS = (*REQUIRED, *DEFAULTS)


def record(
    session: Session,
    alumnus_id: int,
    *,
    occurred_at: datetime,
    kind: str,
    mode: Mode,
    dedupe_key: str,
    **optional: Any,
) -> bool:
    """Record one interaction; False if `dedupe_key` was recorded before, and then nothing changes.

    `optional`: school_id, hours, amount, pupils, note, origin, machine.
    """
    row = {
        "alumnus_id": alumnus_id, "occurred_at": occurred_at, "kind": kind, "mode": mode,
        "dedupe_key": dedupe_key, **optional,
    }  # fmt: skip
    return record_many(session, [row]) == 1


def record_many(session: Session, rows: Iterable[Mapping[str, Any]]) -> int:
    """Record many interactions, one statement a batch; answers how many were new.

    Each row has the keys of `record` with `alumnus_id`; rows may come from a generator.
    """
    new = 0
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        new += _insert(session, batch)
    return new


def _insert(session: Session, rows: list[Mapping[str, Any]]) -> int:
    """One INSERT from one document, the same text for every batch."""
    for row in rows:
        if unknown := row.keys() - set(COLUMNS):
            raise TypeError(f"an interaction has no {', '.join(sorted(unknown))}")
    values = given_rows(COLUMNS, ({**DEFAULTS, **row} for row in rows))
    return len(session.execute(_inserting(), values).all())


@cache
def _inserting() -> Any:
    """The statement, built once: its one parameter carries the rows."""
    told = given_table({name: TABLE.c[name].type for name in COLUMNS})
    return (
        insert(TABLE)
        .from_select(list(COLUMNS), select(told))
        .on_conflict_do_nothing(index_elements=[TABLE.c.dedupe_key])
        .returning(TABLE.c.id)
    )
