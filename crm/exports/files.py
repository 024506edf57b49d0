"""Writes rows into a file that spreadsheets open and do not run, in the memory of one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from crm.exports.models import Format
from crm.web.cells import lines, safe_cell

LARGEST_SHEET = 1_048_576 - 1
"""How many people a sheet holds under its heading (Excel's own limit)."""
LONGEST_CELL = 32_767
TEXT = "@"
Rows = Iterable[Sequence[Any]]
Add = Callable[[Rows], None]


@contextmanager
def writing(path: Path, kind: Format, heading: Sequence[str]) -> Iterator[Add]:
    """Make the file at `path`, which only we may read; yields what adds rows to it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=True)
    writer = _csv if kind is Format.CSV else _xlsx
    with writer(path, heading) as add:
        yield add


@contextmanager
def _csv(path: Path, heading: Sequence[str]) -> Iterator[Add]:
    with path.open("w", encoding="utf-8-sig", newline="") as target:
        target.write(lines([heading]))
        yield lambda rows: _write(target.write, rows)


def _write(write: Callable[[str], Any], rows: Rows) -> None:
    write(lines(list(rows)))


@contextmanager
def _xlsx(path: Path, heading: Sequence[str]) -> Iterator[Add]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("People")
    sheet.freeze_panes = "A2"
    bold = [WriteOnlyCell(sheet, title) for title in heading]
    for cell in bold:
        cell.font = Font(bold=True)
    sheet.append(bold)

    # A row is written as it is added, so that one cell a column serves them all.
    cells = [WriteOnlyCell(sheet) for _ in heading]
    for cell in cells:
        cell.number_format = TEXT

    def cell_of(value: Any, cell: Any) -> Any:
        """A number as one; everything else as text that stays text when somebody edits it."""
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        text = safe_cell(ILLEGAL_CHARACTERS_RE.sub("", str(value)))
        cell.value = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
        cell.data_type = "s"
        return cell

    def add(rows: Rows) -> None:
        for row in rows:
            sheet.append([cell_of(v, cell) for v, cell in zip(row, cells, strict=True)])

    try:
        yield add
    finally:
        book.save(path)
        book.close()
