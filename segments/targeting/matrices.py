"""Numbers by the million between PostgreSQL and numpy, with no Python object for a value.

Reading: each row is sent as an array of `double precision` in PostgreSQL's binary form, and all
rows as one value. Writing: binary COPY (the manual, COPY, "Binary Format": a header of 19 bytes,
then a row as a count of fields and for each its length and its bytes, big-endian). What has a fixed
width numpy reads and writes as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Select,
    SelectBase,
    TypeDecorator,
    func,
    literal,
    select,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

HEAD, LENGTH, NUMBER = 20, 4, 8
COUNT_BITS = 20
MOST_COUNTED = (1 << COUNT_BITS) - 1
SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
BLOCK = 20_000
FLOAT8 = 701
"""The oid of `double precision`."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def read_matrix(session: Session, statement: SelectBase) -> NDArray[np.float64]:
    """What a statement answers, shape (rows, columns); null is NaN. Whole numbers to 2⁵³ are exact.

    Every column must be a number; ids are `.astype(np.int64)` again. The order of rows is the
    database's own.
    """
    given = statement.subquery("s")
    numbers: list[Any] = [
        func.coalesce(as_type(column, Double()), as_type(literal("NaN"), Double()))
        for column in given.c
    ]
    packed: Any = func.string_agg(
        func.array_send(array(numbers)), as_type(literal(""), LargeBinary)
    )
    (body,) = _answered(session, select(packed).select_from(given))
    return _parsed(body or b"", len(numbers))


def read_columns(session: Session, statement: Select[Any]) -> dict[str, NDArray[Any]]:
    """What a statement answers, an array a column, in one order.

    Far cheaper than `read_matrix` where rows are many: a value takes one call of the database's,
    and three whole numbers share one. The first column is an id (int64). Columns of whole numbers
    must be 0 to 1,048,575 (more is taken for that) and never null; moments come as microseconds
    since 2000; null is NaN.
    """
    given = statement.subquery("s")
    first, *others = given.c
    counts = [c for c in others if isinstance(c.type, Integer)]
    values = [c for c in others if not isinstance(c.type, Integer)]
    packs = [counts[n : n + 3] for n in range(0, len(counts), 3)]
    sent = [func.int8send(first), *map(_pack, packs), *map(_sent, values)]
    empty = as_type(literal(""), LargeBinary)
    bodies = _answered(
        session, select(*(func.string_agg(value, empty) for value in sent)).select_from(given)
    )
    found: dict[str, NDArray[Any]] = {first.name: _numbers(bodies[0], ">i8")}
    for pack, body in zip(packs, bodies[1:], strict=False):
        whole = _numbers(body, ">i8")
        for place, c in enumerate(pack):
            found[c.name] = (whole >> place * COUNT_BITS & MOST_COUNTED).astype(np.float64)
    for c, body in zip(values, bodies[1 + len(packs) :], strict=True):
        found[c.name] = _moments(body) if _is_moment(c) else _numbers(body, ">f8")
    return found


def _pack(columns: Sequence[ColumnElement[Any]]) -> Any:
    """Up to three counts as one number."""
    parts = [func.least(as_type(c, BigInteger), MOST_COUNTED) for c in columns]
    packed: Any = parts[0]
    for place, part in enumerate(parts[1:], 1):
        packed = packed + part * (1 << place * COUNT_BITS)
    return func.int8send(as_type(packed, BigInteger))


def _sent(column: ColumnElement[Any]) -> Any:
    """A value in binary form; never null, which `string_agg` would leave out."""
    if _is_moment(column):
        never = as_type(literal("-infinity"), DateTime(timezone=True))
        return func.timestamptz_send(func.coalesce(column, never))
    number: Any = func.coalesce(as_type(column, Double()), as_type(literal("NaN"), Double()))
    return func.float8send(number)


def _is_moment(column: ColumnElement[Any]) -> bool:
    kind = column.type
    return isinstance(kind.impl if isinstance(kind, TypeDecorator) else kind, DateTime)


def _numbers(body: bytes | None, kind: str) -> NDArray[Any]:
    return np.frombuffer(body or b"", dtype=kind).astype(kind[1:])


def _moments(body: bytes | None) -> NDArray[np.float64]:
    moments = _numbers(body, ">i8")
    return np.where(moments == np.iinfo(np.int64).min, np.nan, moments.astype(np.float64))


def _answered(session: Session, statement: Select[Any]) -> tuple[bytes | None, ...]:
    """The one row of a statement, each value as bytes."""
    session.flush()
    connection = session.connection()
    written = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    raw = cast("Any", connection.connection.driver_connection)
    with raw.cursor(binary=True) as cursor:
        cursor.execute(str(written).replace("%%", "%"))
        row: tuple[bytes | None, ...] = cursor.fetchone()
    return row


def _parsed(body: bytes, width: int) -> NDArray[np.float64]:
    """Each row is an array of `width`: a head, then the length and the bytes of each number."""
    rows = np.frombuffer(body, dtype=np.uint8).reshape(-1, HEAD + width * (LENGTH + NUMBER))
    cells = rows[:, HEAD:].reshape(-1, width, LENGTH + NUMBER)[:, :, LENGTH:]
    numbers = np.ascontiguousarray(cells).view(">f8").astype(np.float64)
    return np.asarray(numbers.reshape(-1, width))


def write_rows(
    session: Session, table: str, columns: Mapping[str, NDArray[np.float64 | np.int64] | bytes]
) -> None:
    """Add rows to a table: arrays of one length (bigint or double precision), bytes for them all.

    An array of two dimensions is an array of `double precision` in each row. Bytes are a value as
    the binary format has it. The caller has seen to what the rows refer to.
    """
    given = {n: _arrays(v) if _is_wide(v) else v for n, v in columns.items()}
    arrays = [value for value in given.values() if isinstance(value, np.ndarray)]
    fields: list[tuple[str, Any]] = [("n", ">i2")]
    for name, value in given.items():
        kind = f"V{len(value)}" if isinstance(value, bytes) else value.dtype.newbyteorder(">")
        fields += [(f"l_{name}", ">i4"), (name, kind)]
    records = np.empty(len(arrays[0]), dtype=fields)
    records["n"] = len(columns)
    for name, value in given.items():
        records[f"l_{name}"] = records.dtype[name].itemsize
        records[name] = np.void(value) if isinstance(value, bytes) else value
    session.flush()
    raw = cast("Any", session.connection().connection.driver_connection)
    names = ", ".join(columns)
    statement = f"copy {table} ({names}) from stdin (format binary)"
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        for start in range(0, len(records), BLOCK):
            copy.write(records[start : start + BLOCK].tobytes())
        copy.write(b"\xff\xff")


def _is_wide(value: NDArray[Any] | bytes) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2


def _arrays(value: Any) -> NDArray[Any]:
    """Each row as an array in binary form: a head, then the length and the bytes of each number."""
    rows, width = value.shape
    cell = np.dtype([("l", ">i4"), ("v", ">f8")])
    made = np.empty(rows, dtype=[("head", ">i4", 5), ("cells", cell, width)])
    made["head"] = (1, 0, FLOAT8, width, 1)
    made["cells"]["l"], made["cells"]["v"] = NUMBER, value
    return made


def moment(at: datetime) -> bytes:
    """A `timestamptz` as the binary format has it: microseconds since 2000."""
    return int((at - EPOCH) / timedelta(microseconds=1)).to_bytes(8, "big", signed=True)
