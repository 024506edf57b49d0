"""A first look at a file: a digest of each line, to know again what an earlier file said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from crm.imports.mapping import Plan
from crm.imports.people.schema import Schema
from crm.imports.reader import Table
from crm.imports.staging import Progress, copy_text, create_stage
from crm.imports.values import clean

SEEN = "import_seen"
COLUMNS = {"line": "integer", "digest": "uuid", "external_id": "text"}
NULL = "\\N"
SPLIT = b"\0"
"""What stands between the cells of a line under the digest; no readable file holds one."""


@dataclass
class Seen:
    """How many lines a file has, and how many of them cannot be read."""

    lines: int = 0
    faults: int = 0


def digests(rows: Sequence[Sequence[str]]) -> list[str]:
    """A digest of each row, 32 hexadecimal digits."""
    return [digest("\0".join(row).encode("utf-8", "surrogatepass")) for row in rows]


def digest(line: bytes) -> str:
    """The digest of a line whose cells are joined by `SPLIT`."""
    return hashlib.blake2b(line, digest_size=16).hexdigest()


def see_lines(
    session: Session, table: Table, plan: Plan, schema: Schema, progress: Progress | None
) -> Seen:
    """COPY number, digest and first id of every line into `import_seen`."""
    create_stage(session, SEEN, COLUMNS)
    target = f"id.{schema.systems[0]}"
    look = Look(table, plan.of(target), plan.layout.trimmed.get(target))
    copy_text(session, SEEN, list(COLUMNS), look.blocks(progress))
    return look.seen


class Look:
    """Reads a table for its digests alone."""

    def __init__(self, table: Table, ids: Sequence[int], signs: str | None) -> None:
        self.table, self.ids, self.signs = table, ids, signs
        self.seen = Seen()

    def blocks(self, progress: Progress | None) -> Iterator[str]:
        """Lines for COPY, some thousands at a time."""
        found = self._plain() if self.table.plain else self._read()
        before = 0
        for block in found:
            yield block
            if progress:
                progress(self.seen.lines - before)
            before = self.seen.lines

    def _plain(self) -> Iterator[str]:
        """The bytes as they stand; a line of another width is one that has to be read."""
        width, delimiter = len(self.table.header) - 1, self.table.delimiter.encode()
        needed = max(self.ids) + 1
        for first, lines in self.table.plain_lines():
            found = []
            for number, raw in enumerate(lines, first):
                if not raw:
                    continue
                line = raw.replace(delimiter, SPLIT)
                if line.count(SPLIT) != width:
                    found.append(f"{number}\t{NULL}\t{NULL}\n")
                    continue
                cells = line.split(SPLIT, needed)
                found.append(self._line(number, line, [cells[i].decode() for i in self.ids]))
            self.seen.lines += len(lines)
            yield "".join(found)

    def _read(self) -> Iterator[str]:
        for batch in self.table.batches():
            pairs = zip(batch.lines, batch.rows, strict=True)
            yield "".join(
                self._line(
                    number,
                    "\0".join(row).encode("utf-8", "surrogatepass"),
                    [row[i] for i in self.ids],
                )
                for number, row in pairs
            )
            self.seen.lines += len(batch)
            self.seen.faults += len(batch.faults)

    def _line(self, number: int, line: bytes, ids: list[str]) -> str:
        found = next((t for cell in ids if (t := clean(cell))), "")
        found = found.strip(self.signs) if self.signs else found
        if "\\" in found:
            found = found.replace("\\", "\\\\")
        return f"{number}\t{digest(line)}\t{found or NULL}\n"
