"""Numbers by the million between PostgreSQL and numpy: binary COPY, no Python object a value.

The format is PostgreSQL's own (its manual, COPY, "Binary Format"): a header of 19 bytes, then a row
as a count of fields and for each its length and its bytes, big-endian. With columns that are all
`double precision` and never null a row has a fixed width, and numpy reads the whole as it came.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Double, Select, func, literal
from sqlalchemy import cast as as_type
from sqlalchemy.orm import Session

HEADER, TRAILER = 19, 2
NAN = float("nan")


def read_matrix(session: Session, statement: Select[Any]) -> NDArray[np.float64]:
    """What a statement answers, shape (rows, columns); null is NaN. Whole numbers to 2⁵³ are exact.

    Every column must be a number; ids are `.astype(np.int64)` again.
    """
    columns: list[Any] = [
        func.coalesce(as_type(column, Double()), as_type(literal("NaN"), Double())).label(f"c{n}")
        for n, column in enumerate(statement.subquery("s").c)
    ]
    session.flush()
    connection = session.connection()
    wrapped = Select(*columns).compile(
        dialect=connection.dialect, compile_kwargs={"literal_binds": True}
    )
    raw = cast("Any", connection.connection.driver_connection)
    text = str(wrapped).replace("%%", "%")
    with raw.cursor() as cursor, cursor.copy(f"copy ({text}) to stdout (format binary)") as copy:
        body = b"".join(copy)
    return _parsed(body, len(columns))


def _parsed(body: bytes, width: int) -> NDArray[np.float64]:
    fields = [("n", ">i2")]
    for n in range(width):
        fields += [(f"l{n}", ">i4"), (f"v{n}", ">f8")]
    layout = np.dtype(fields)
    rows = (len(body) - HEADER - TRAILER) // layout.itemsize
    records = np.frombuffer(body, dtype=layout, count=rows, offset=HEADER)
    found = np.empty((rows, width))
    for n in range(width):
        found[:, n] = records[f"v{n}"]
    return found
