"""Files with columns of fixed names: found in any order and spelling, read as tuples.

For histories that come by the million: `interactions import` and, above this area, `asks import`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crm.core.errors import Refused, fault_at
from crm.imports.layout import header_key
from crm.imports.reader import Table

FixedRow = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class FixedColumns:
    """The columns a file must and may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def find(self, table: Table) -> FoundColumns:
        """Where they stand in a file; raises `Refused` naming those that are missing."""
        places = {header_key(title): n for n, title in reversed(list(enumerate(table.header)))}
        missing = [name for name in self.required if header_key(name) not in places]
        if missing:
            place = f"{table.name}:{table.header_line}"
            fault = (
                "there is no column %(missing)s; the first line must name %(needed)s "
                "(and may name %(more)s)"
            )
            asked = {"needed": ", ".join(self.required), "more": ", ".join(self.optional)}
            raise Refused([fault_at(place, fault, missing=", ".join(missing), **asked)])
        names = (*self.required, *self.optional)
        indices = tuple(places.get(header_key(name), -1) for name in names)
        unread = [t for n, t in enumerate(table.header) if t and n not in indices]
        return FoundColumns(table, indices, unread)


@dataclass(frozen=True)
class FoundColumns:
    """The columns of one file; `unread` are the titles that nobody asked for."""

    table: Table
    indices: tuple[int, ...]
    unread: list[str]

    def batches(self) -> Iterator[tuple[list[FixedRow], list[tuple[int, str]]]]:
        """(rows, faults) batch by batch; a row is (line, cells in the order asked for)."""
        indices = self.indices
        for batch in self.table.batches():
            # An index of -1 finds the blank that is put behind each row.
            rows = []
            for line, cells in zip(batch.lines, batch.rows, strict=True):
                cells.append("")
                rows.append((line, tuple([cells[i] for i in indices])))
            yield rows, batch.faults
