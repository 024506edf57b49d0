"""Everything that is kept about one person, whichever package keeps it: a data right.

The foreign keys tell which tables name a person, so that none is forgotten.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.people import record_with_sources
from crm.core.database import db
from crm.core.extend import extensions
from crm.core.viewer import Viewer

OURS = frozenset({"alumnus", "duplicate_pair"})
"""The record itself comes first and whole; guesses about two people tell of the other as well."""


def everything_about(
    session: Session, alumnus_id: int, *, at: datetime, by: Viewer | None
) -> dict[str, Any]:
    """The record and, by table, every row that names the person; noted in the audit trail."""
    tables = {}
    for table in db.metadata.sorted_tables:
        columns = _naming(table)
        if not columns or table.name in OURS:
            continue
        for name in columns:
            rows = session.execute(select(table).where(table.c[name] == alumnus_id)).mappings()
            found = [{key: plain(value) for key, value in row.items()} for row in rows]
            if found:
                tables[table.name] = found
    for name, rows_of in extensions().kept_among_others.items():
        if mine := rows_of(session, alumnus_id):
            tables[name] = [{key: plain(value) for key, value in row.items()} for row in mine]
    audit.record(session, "alumnus.exported", kind="alumnus", key=alumnus_id, by=by, at=at)
    whole = record_with_sources(session, alumnus_id)
    record = {key: plain(value) for key, value in whole.items()}
    return {"id": alumnus_id, "at": at.isoformat(), "record": record, "tables": tables}


def _naming(table: Table) -> list[str]:
    """The columns of a table that name an alumnus."""
    return [key.parent.name for key in table.foreign_keys if key.column.table.name == "alumnus"]


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
