"""Numbers by the million between PostgreSQL and numpy, with no Python object for a value.

Reading: each row is sent as an array of `double precision` in PostgreSQL's binary form, and all
rows as one value. Writing: binary COPY (the manual, COPY, "Binary Format": a header of 19 bytes,
then a row as a count of fields and for each its length and its bytes, big-endian). What has a fixed
width numpy reads and writes as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Double, LargeBinary, Select, func, literal, select
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

HEAD, LENGTH, NUMBER = 20, 4, 8
SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
BLOCK = 20_000
FLOAT8 = 701
"""The oid of `double precision`."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def read_matrix(session: Session, statement: Select[Any]) -> NDArray[np.float64]:
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
    session.flush()
    connection = session.connection()
    wrapped = (
        select(packed)
        .select_from(given)
        .compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    )
    raw = cast("Any", connection.connection.driver_connection)
    with raw.cursor(binary=True) as cursor:
        cursor.execute(str(wrapped).replace("%%", "%"))
        (body,) = cursor.fetchone()
    return _parsed(body or b"", len(numbers))


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
