"""Files that break off: refused, or read up to the break by the choice of whoever brings them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crm.core.errors import Refused, fault_at

Row = tuple[int, list[str], str]


class Broken(Refused):
    """A file that cannot be trusted from a line on; the lines before it are good.

    `line` is 0 where the file ends without saying where it was cut.
    """

    def __init__(self, name: str, line: int, reason: str, **values: Any) -> None:
        place = f"{name}:{line}" if line else name
        super().__init__([fault_at(place, reason, **values)])
        self.line = line


@dataclass
class Breaks:
    """Lets a table end where it breaks; `found` is how it broke, once it has been read so far."""

    found: Broken | None = None

    def up_to(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows before the break."""
        self.found = None
        try:
            yield from rows
        except Broken as error:
            self.found = error
