"""Excel workbooks, read row by row; what could unpack to more than we can hold is refused first."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from crm.core.errors import Refused, fault_at
from crm.imports.broken import Broken

MAX_UNPACKED = 1024 * 1024 * 1024
MAX_SHARED = 96 * 1024 * 1024
MAX_RATIO = 400
SMALL = 16 * 1024 * 1024
MAX_PARTS = 2_000
FAULTS = (
    zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, IndexError,
    AttributeError, EOFError, OSError, SyntaxError, NotImplementedError, RuntimeError,
)  # fmt: skip


def check_archive(path: Path, name: str) -> None:
    """Refuse what is no workbook, or unpacks to far more than its size allows."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Refused([fault_at(name, "is not the Excel workbook that its name says")]) from error
    names = {part.filename for part in parts}
    if "[Content_Types].xml" not in names or not any(n.startswith("xl/") for n in names):
        raise Refused([fault_at(name, "is a zip archive but no Excel workbook")])
    unpacked = sum(part.file_size for part in parts)
    packed = max(1, path.stat().st_size)
    shared = sum(p.file_size for p in parts if p.filename.lower().endswith("sharedstrings.xml"))
    excessive = unpacked > MAX_UNPACKED or shared > MAX_SHARED or len(parts) > MAX_PARTS
    if excessive or (unpacked > SMALL and unpacked / packed > MAX_RATIO):
        size = unpacked // 1024 // 1024
        fault = "would unpack to %(size)s MB, which is more than we open; save it as .csv"
        raise Refused([fault_at(name, fault, size=size)])


def workbook_rows(path: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """(row number, cells as text without empty ones at the end) of the first worksheet."""
    check_archive(path, name)
    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except FAULTS as error:
        raise Refused([fault_at(name, "cannot be read as an Excel workbook")]) from error
    row = 0
    try:
        if not book.worksheets:
            raise Refused([fault_at(name, "has no worksheet")])
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        for row, cells in enumerate(sheet.iter_rows(), start=1):
            texts = [_text(cell) for cell in cells]
            while texts and not texts[-1]:
                texts.pop()
            yield row, texts
    except FAULTS as error:
        raise Broken(name, row + 1, "the worksheet is damaged here") from error
    finally:
        book.close()


def _text(cell: Any) -> str:
    """A cell as the reader of the sheet sees it: zeros of a `00000` format and plain dates kept."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        # Excel can spell lone surrogates, which are no text.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, datetime):
        plain = value.time() == time() and value.tzinfo is None
        return value.date().isoformat() if plain else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        shape = str(cell.number_format or "")
        return str(value).zfill(len(shape)) if shape and set(shape) == {"0"} else str(value)
    return str(value)
