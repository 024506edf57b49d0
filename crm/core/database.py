"""The database handle, the typed model base and the column types every table uses."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import psycopg
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    Executable,
    ForeignKey,
    FromClause,
    Identity,
    Integer,
    Interval,
    MetaData,
    String,
    Uuid,
    any_,
    bindparam,
    column,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import Pool
from sqlalchemy.types import TypeDecorator, UserDefinedType

E = TypeVar("E", bound=StrEnum)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base; names every constraint so that migrations and messages can."""

    metadata = MetaData(naming_convention=NAMING)


@event.listens_for(Engine, "connect")
def _without_jit(connection: Any, _: Any) -> None:
    """Our statements have many conditions and few rows: compiling them costs more than it saves."""
    connection.autocommit = True
    connection.execute("set jit = off")
    connection.autocommit = False


PING_AFTER = 60.0


@event.listens_for(Pool, "checkin")
def _note_use(_: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


@event.listens_for(Pool, "checkout")
def _is_alive(connection: Any, record: Any, _: Any) -> None:
    """Take no connection out of the pool that its server has closed.

    A server that goes says so, and then there is something to read on a connection that asked
    nothing: only such a one, or one that long lay idle, is asked whether it is alive.
    """
    quiet = not connection.closed and not _has_news(connection.fileno())
    if quiet and time.monotonic() - record.info.get("used", 0.0) < PING_AFTER:
        return
    _ping(connection)


def _ping(connection: Any) -> None:
    """Raises what makes the pool take another one."""
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error


def _has_news(socket: int) -> bool:
    """Whether there is something to read, or the other end is gone."""
    with DefaultSelector() as selector:
        selector.register(socket, EVENT_READ)
        return bool(selector.select(0))


UNPREPARED: dict[str, Any] = {"homecoming_unprepared": True}
"""Execution options of a statement whose best plan hangs on the values in it.

psycopg prepares what it has sent five times, and after five more PostgreSQL may settle on one plan
for whatever values, which takes three times as long or more for a query of people.
"""


PREPARED: dict[str, Any] = {"homecoming_unprepared": False}
"""Execution options of a statement over many ids that finds all it needs by them in an index."""
MANY = 300
"""With more ids than this in a statement, a plan that fits costs less than one that does not.

A plan for whatever values reckons with ten ids: it goes through all of one list for each of another
(placing 5,000 people: 280 µs each instead of 58), and is still the better one for up to 200.
"""


class _Ids(str):
    """The text of an array of many ids."""


@event.listens_for(Engine, "do_execute")
def _unprepared(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Send a statement that is marked so, or has many ids in it, without preparing it."""
    options = context.execution_options if context else {}
    if not options.get("homecoming_unprepared", _has_many(parameters)):
        return False
    cursor.execute(statement, parameters, prepare=False)
    return True


def _has_many(parameters: Any) -> bool:
    return isinstance(parameters, dict) and any(type(one) is _Ids for one in parameters.values())


def each_by_itself(session: Session) -> None:
    """Let every statement of a session that only reads be a transaction of its own.

    Pages read committed rows either way; that nothing is begun and ended saves two ways to the
    server and back. A commit ends it; a session that has begun something, or lives on a connection
    of somebody else's, goes on as it is.
    """
    if not session.in_transaction() and isinstance(session.get_bind(), Engine):
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def values_of(
    session: Session, statement: Executable, values: Mapping[str, Any] | None = None
) -> CursorResult[Any]:
    """The rows of a statement that asks for columns, past what the session does for objects.

    Nothing is flushed before. It saves a quarter of a millisecond: for what every page asks.
    """
    return session.connection().execute(statement, values)


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
migrate = Migrate()

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class UTCDateTime(TypeDecorator[datetime]):
    """`timestamptz` that refuses naive datetimes and always answers in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime reached the database")
        return value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if isinstance(value, datetime) else None

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """A span added to or taken from a moment is an interval."""
        return Interval() if isinstance(value, timedelta) else self


class Choice(TypeDecorator[E], Generic[E]):
    """A `StrEnum` stored by its value as text, so that SQL reads like the code."""

    impl = String
    cache_ok = True

    def __init__(self, kind: type[E]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> E | None:
        return None if value is None else self.kind(value)


def identity() -> Mapped[int]:
    """A bigint primary key that the database counts."""
    return mapped_column(db.BigInteger, Identity(), primary_key=True)


def guarded(target: str) -> ForeignKey:
    """A foreign key that statement triggers keep instead of a constraint (ADR 10).

    For tables that imports fill by the million; `migrations/` has the triggers. To whoever reads
    the models it is a foreign key like any other.
    """
    return ForeignKey(target, info={"guarded": True})


def among(wanted: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """A condition: the column is one of many values, sent as one array.

    `in_` writes a parameter for each value; from some dozens on, that costs more than the query.
    Numbers and ids go as the array's text, which needs no quoting item by item.
    """
    found = list(values)
    if isinstance(wanted.type, BigInteger | Integer | Uuid) and None not in found:
        return wanted == any_(id_array(found, wanted.type))  # type: ignore[no-any-return]
    return wanted == any_(literal(found, ARRAY(wanted.type)))  # type: ignore[no-any-return]


APART = "locks apart"
"""In a session's `info`: what keeps its advisory locks from being those of others."""


def take_lock(session: Session, key: int) -> None:
    """Wait for an advisory lock and keep it until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(key + session.info.get(APART, 0))))


class IdArray(UserDefinedType[Any]):
    """An array of numbers or UUIDs, written at once: none of them needs quoting."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def get_col_spec(self, **_: Any) -> str:
        return f"{self.kind}[]"

    def bind_processor(self, dialect: Dialect) -> Any:
        return _array_text


def _array_text(ids: Collection[Any]) -> str:
    return (_Ids if len(ids) > MANY else str)("{" + ",".join(map(str, ids)) + "}")


def id_array(ids: Iterable[Any], kind: Any = None) -> ColumnElement[Any]:
    """Numbers or UUIDs as one bound array."""
    return literal(list(ids), IdArray("uuid" if isinstance(kind, Uuid) else "bigint"))


def rows_of(
    types: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> tuple[FromClause, dict[str, Any]]:
    """Rows as a table named `given` to select from, and the one parameter that carries them.

    They travel as a JSON document: its text is the same for any number of rows, so that a statement
    is compiled once, and it is written at once, where arrays are quoted item by item.
    """
    return given_table(types), given_rows(types, rows)


def given_table(types: Mapping[str, Any]) -> FromClause:
    """The table of `rows_of`, for a statement that is built once and kept."""
    given = func.jsonb_to_recordset(bindparam("given", type_=JSONB)).table_valued(
        *(column(name, kind) for name, kind in types.items()), name="given"
    )
    return given.render_derived(with_types=True)


def given_rows(names: Collection[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The parameter of `rows_of`: these names of each row."""
    return {"given": [{name: _plain(row[name]) for name in names} for row in rows]}


def _plain(value: Any) -> Any:
    """A value as JSON has it; the database reads it back as its column's type."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value
