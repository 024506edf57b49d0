"""A first look at a file: a digest of each line, to know again what an earlier file said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from crm.imports.people.schema import Schema
from crm.imports.reader import Table
from crm.imports.staging import Progress, copy_lines, copy_text, create_stage

SEEN = "import_seen"
SPLIT = "\x1f"
"""What stands between the cells of a line under the digest; a line that holds one has none."""
NULL = "\\N"
OF_TEXT = "cast(encode(substr(sha256(convert_to(s.raw, 'UTF8')), 1, 16), 'hex') as uuid)"
"""`digest` in SQL."""


@dataclass
class Seen:
    """The lines below the header and how many cannot be read.

    `digest` and `told` are SQL on a row `s` of `import_seen`: its digest, whether it says anything.
    """

    lines: int = 0
    faults: int = 0
    digest: str = "s.digest"
    told: str = "true"


def digests(rows: Sequence[Sequence[str]]) -> list[str | None]:
    """A digest of each row, 32 hexadecimal digits; None for a row that cannot have one."""
    return [digest(row) for row in rows]


def digest(row: Sequence[str]) -> str | None:
    """The first half of the SHA-256 of the cells, joined in a way that no other cells are."""
    line = SPLIT.join(row)
    if line.count(SPLIT) >= len(row):
        return None
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def see_lines(session: Session, table: Table, schema: Schema, progress: Progress | None) -> Seen:
    """COPY number and digest of every line into `import_seen`.

    The lines of a plain file go as they stand and the database digests them, so that nothing is
    done for each of them here.
    """
    seen = Seen()
    if table.plain and table.delimiter != SPLIT:
        seen.digest, seen.told = OF_TEXT, "s.raw <> ''"
        first = table.header_line + 1
        number = f"integer generated always as identity (start with {first})"
        create_stage(session, SEEN, {"line": number, "raw": "text"})
        copy_lines(session, SEEN, "raw", _plain(table, seen, progress))
    else:
        create_stage(session, SEEN, {"line": "integer", "digest": "uuid"})
        copy_text(session, SEEN, ["line", "digest"], _read(table, seen, progress))
    return seen


def _plain(table: Table, seen: Seen, progress: Progress | None) -> Iterator[bytes]:
    """The bytes as they stand, but for what splits a line."""
    split = bytes.maketrans(table.delimiter.encode(), SPLIT.encode())
    for block in table.plain_lines():
        yield block.translate(split)
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        seen.lines += count
        if progress:
            progress(count)


def _read(table: Table, seen: Seen, progress: Progress | None) -> Iterator[str]:
    for batch in table.batches():
        pairs = zip(batch.lines, digests(batch.rows), strict=True)
        yield "".join([f"{number}\t{found or NULL}\n" for number, found in pairs])
        seen.lines += len(batch)
        seen.faults += len(batch.faults)
        if progress:
            progress(len(batch))
