"""Tables kept in one part for each month: what they are, making parts ahead, and their sizes.

A model says so by `monthly(column)` in its table's arguments. The column must follow from what
identifies a row, so that a second insert of the same row meets the first one in its part: the key
of such a table holds the column too, and is only unique together with it (docs/adr).

A row of a month without a part lands in `TABLE_rest`, and is filed by the next night's upkeep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Date, Table, func, literal, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.core.database import db

log = structlog.get_logger(__name__)
AHEAD = 3
"""So many months after the present one have their part already."""
BACK = 20
"""Years back to which a part is made for rows that came without one; older ones are mistakes."""
MONTHLY = "monthly"
REST = "rest"
UPKEEP = 7_316_292
"""The advisory lock under which parts are made."""
PARTS = """
select p.relname as "table", c.relname as name, pg_total_relation_size(c.oid) as bytes,
  greatest(c.reltuples, 0) as rows
from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
where p.relname = any(:tables) and p.relnamespace = 'public'::regnamespace
order by 1, 2
"""
STRAYS = """
select distinct cast(date_trunc('month', {column} at time zone 'UTC') as date) from {table}_rest
where {column} >= :low and {column} < :high
"""
MOVE = """
with moved as (delete from {table}_rest where {column} >= '{low}' and {column} < '{high}'
  returning *)
insert into {name} select * from moved
"""


@dataclass(frozen=True)
class Part:
    """One part of a table; `month` is its first day, None for what has no month of its own.

    `bytes` with its indices; `rows` as the server last counted them.
    """

    table: str
    name: str
    month: date | None
    bytes: int
    rows: int


def monthly(column: str) -> dict[str, Any]:
    """Arguments of a table kept by months, in UTC, of this `date` or `timestamptz` column."""
    return {"info": {MONTHLY: column}, "postgresql_partition_by": f"RANGE ({column})"}


def monthly_tables() -> list[Table]:
    """All tables kept by months."""
    return [table for table in db.metadata.sorted_tables if MONTHLY in table.info]


def is_part(name: str) -> bool:
    """Whether a table of the database is a part of one of ours."""
    return any(_month_of(table.name, name) is not None for table in monthly_tables()) or name in {
        f"{table.name}_{REST}" for table in monthly_tables()
    }


def parts(session: Session | Connection, table: str | None = None) -> list[Part]:
    """Every part of every such table (of one, if named), by table and month."""
    tables = [one.name for one in monthly_tables() if table in {None, one.name}]
    rows = session.execute(text(PARTS), {"tables": tables})
    return [Part(r.table, r.name, _month_of(r.table, r.name), r.bytes, int(r.rows)) for r in rows]


def month_after(month: date, n: int = 1) -> date:
    """The first day of the month `n` months later (earlier, if negative)."""
    years, place = divmod(month.month - 1 + n, 12)
    return date(month.year + years, place + 1, 1)


def keep_up(session: Session, at: datetime) -> list[str]:
    """Make the parts of this month and the next ones, and file what came without a part.

    Commits part by part; answers the names of those made. A part that cannot be made now, because
    somebody reads or writes for long, is left to the next time.
    """
    made = []
    for table in monthly_tables():
        known = {part.month for part in parts(session, table.name)}
        if not known:
            continue  # not migrated to months yet
        for month in sorted({*_coming(at), *_strays(session, table, at)} - known):
            name = _try(session, table, month)
            made += [name] if name else []
        session.execute(text(f"analyze {table.name}"))
        session.commit()
    return made


def unfiled(session: Session, most: int) -> dict[str, int]:
    """Rows by table that stand in no month, counted up to `most`."""
    found = {}
    for part in parts(session):
        if part.month is None:
            some = select(literal(1)).select_from(sql_table(part.name)).limit(most).subquery()
            counted = select(func.count()).select_from(some)
            found[part.table] = int(session.execute(counted).scalar_one())
    return found


def short_of(session: Session, at: datetime) -> list[str]:
    """Tables that have no part yet for the month after this one."""
    following = month_after(at.astimezone(UTC).date())
    have: dict[str, set[date | None]] = {}
    for part in parts(session):
        have.setdefault(part.table, set()).add(part.month)
    return sorted(table for table, months in have.items() if following not in months)


def bounds(table: Table, month: date) -> tuple[str, str]:
    """The first value of a month's part and the first one after it, as SQL text."""
    column = table.c[table.info[MONTHLY]]
    zone = "" if isinstance(column.type, Date) else " 00:00:00+00"
    return f"{month}{zone}", f"{month_after(month)}{zone}"


def _coming(at: datetime) -> Iterable[date]:
    today = at.astimezone(UTC).date()
    return [month_after(today, n) for n in range(AHEAD + 1)]


def _strays(session: Session, table: Table, at: datetime) -> Sequence[date]:
    """The months of rows that have no part; not those of dates that make no sense."""
    today = at.astimezone(UTC).date()
    given = {"low": month_after(today, -12 * BACK), "high": month_after(today, AHEAD + 1)}
    statement = STRAYS.format(table=table.name, column=table.info[MONTHLY])
    return list(session.execute(text(statement), given).scalars())


def _try(session: Session, table: Table, month: date) -> str | None:
    try:
        name = _make(session, table, month)
        session.commit()
    except OperationalError:
        session.rollback()
        log.warning("months.busy", table=table.name, month=month.isoformat())
        return None
    return name


def _make(session: Session, table: Table, month: date) -> str | None:
    """One part, with the rows that wait for it; None if somebody made it meanwhile."""
    name, column = f"{table.name}_{month:%Y_%m}", table.info[MONTHLY]
    low, high = bounds(table, month)
    session.execute(text("set local lock_timeout = '5s'"))
    session.execute(text(f"select pg_advisory_xact_lock({UPKEEP})"))
    if any(part.name == name for part in parts(session, table.name)):
        return None
    run = session.connection().exec_driver_sql
    run(f"lock table {table.name}_{REST} in access exclusive mode")
    run(f"create table {name} (like {table.name} including all excluding identity)")
    run(MOVE.format(table=table.name, column=column, low=low, high=high, name=name))
    run(f"alter table {table.name} attach partition {name} for values from ('{low}') to ('{high}')")
    return name


def _month_of(table: str, name: str) -> date | None:
    tail = name.removeprefix(f"{table}_")
    try:
        return datetime.strptime(tail, "%Y_%m").replace(tzinfo=UTC).date()
    except ValueError:
        return None
