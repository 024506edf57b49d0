"""Rows on their way into the database: COPY into a temporary table, then everything in sets.

The part that any import of rows may use, above this area too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from psycopg import Connection, sql
from sqlalchemy import text
from sqlalchemy.orm import Session

Progress = Callable[[int], None]
NULL = "\\N"
SIGN = "\x1e"
"""What COPY takes for the end of a column where there is but one."""
IMPORT_LOCK = 7_312_001
"""The advisory lock that every import which makes people holds while it looks and writes."""


def create_stage(session: Session, name: str, columns: Mapping[str, str]) -> None:
    """Make an empty temporary table of this transaction; `columns`: name → SQL type."""
    drop_stages(session, [name])
    body = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    session.execute(text(f"create temporary table {name} ({body}) on commit drop"))


def drop_stages(session: Session, names: Iterable[str]) -> None:
    """Drop temporary tables that an earlier import of the same transaction may have left."""
    for name in names:
        session.execute(text(f"drop table if exists pg_temp.{name} cascade"))


def copy_rows(
    session: Session,
    name: str,
    columns: Sequence[str],
    batches: Iterable[Sequence[tuple[Any, ...]]],
    *,
    progress: Progress | None = None,
) -> int:
    """Stream batches of tuples into a stage; answers how many rows. Memory is that of one batch."""
    connection: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    count = 0
    with connection.cursor() as cursor, cursor.copy(_copy_into(name, columns)) as copy:
        for batch in batches:
            for row in batch:
                copy.write_row(row)
            count += len(batch)
            if progress:
                progress(len(batch))
    return count


def copy_text(session: Session, name: str, columns: Sequence[str], blocks: Iterable[str]) -> None:
    """Stream blocks of lines that are in COPY's text form already."""
    connection: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    with connection.cursor() as cursor, cursor.copy(_copy_into(name, columns)) as copy:
        for block in blocks:
            copy.write(block)


def copy_lines(session: Session, name: str, column: str, blocks: Iterable[bytes]) -> None:
    """Stream blocks of whole lines, which may hold any sign but `SIGN`, into one column of text."""
    connection: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    statement = _copy_into(name, [column]) + sql.SQL(" (delimiter {})").format(SIGN)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in blocks:
            copy.write(block.replace(b"\\", b"\\\\"))


def text_block(columns: Sequence[Sequence[Any]]) -> str:
    """Columns side by side as lines of COPY's text form; a column holds one type, and None."""
    rows = map("\t".join, zip(*map(_as_text, columns), strict=True))
    return "".join([f"{row}\n" for row in rows])


def _as_text(column: Sequence[Any]) -> Sequence[str]:
    """A column's values as COPY reads them."""
    told = [value for value in column if value is not None]
    if not told:
        return [NULL] * len(column)
    if not isinstance(told[0], str):
        return [NULL if value is None else str(value) for value in column]
    joined = "".join(told)
    if "\\" in joined or not joined.isprintable():
        return [NULL if value is None else _escaped(value) for value in column]
    if len(told) == len(column):
        return column
    return [NULL if value is None else value for value in column]


def _escaped(value: str) -> str:
    for sign, written in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        if sign in value:
            value = value.replace(sign, written)
    return value


def _copy_into(name: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def lock_imports(session: Session) -> None:
    """Wait until no other import is matching or writing; held to the end of the transaction."""
    session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})


def try_lock_imports(session: Session) -> bool:
    """Take the same lock if nobody has it; answers whether it is ours now."""
    statement = text("select pg_try_advisory_xact_lock(:key)")
    return bool(session.scalar(statement, {"key": IMPORT_LOCK}))


def prepare_session(session: Session) -> None:
    """Give this transaction's large joins and sorts memory enough."""
    session.execute(text("set local work_mem = '96MB'"))
    session.execute(text("set local jit = off"))


def fates_of(session: Session, import_id: int) -> dict[str, int]:
    """How many lines of an import met each fate that any met."""
    counted = session.execute(
        text("select fate, count(*) from import_line where import_id = :id group by fate"),
        {"id": import_id},
    )
    return dict(counted.all())
