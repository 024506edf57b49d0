"""Any table of text that a district brings, as a stream of batches: CSV, TSV and Excel alike.

Memory stays bounded whatever the file holds. A file that cannot be read as a whole is `Refused`
naming file and line; a single bad line comes back as a fault beside the good ones.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from crm.core.errors import Refused, fault_at
from crm.imports.broken import Breaks, Broken
from crm.imports.decoding import TextFile, examine
from crm.imports.framed import Row, framed_rows
from crm.imports.layout import Frame
from crm.imports.layouts import FRAMES
from crm.imports.values import clean
from crm.imports.xlsx import workbook_rows

BATCH = 4_000
BLOCK = 1024 * 1024
MAX_COLUMNS = 1_000
MAX_FIELD = 32_768
CUT = (
    "the file breaks off in the middle of this line: it has %(count)s columns where the first line "
    "names %(named)s"
)
MAX_ROW_LINES = 200
TEXT_NAMES = (".csv", ".tsv", ".txt", ".tab")
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass
class Batch:
    """Some lines of a file: their numbers and cells side by side, and the lines at fault."""

    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines) + len(self.faults)

    def without(self, known: Container[int]) -> Batch:
        """The same lines but for those that are known."""
        pairs = zip(self.lines, self.rows, strict=True)
        left = [(line, row) for line, row in pairs if line not in known]
        return Batch([line for line, _ in left], [row for _, row in left], self.faults)


@dataclass(frozen=True)
class Table:
    """An opened file: its header, how it is written, about how many lines it has."""

    name: str
    header: tuple[str, ...]
    header_line: int
    encoding: str
    delimiter: str
    lines: int
    path: Path
    text: TextFile | None
    frame: Frame | None = None
    breaks: Breaks | None = None

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The lines below the header, `size` at a time; blank lines are left out.

        Raises `Broken` where the file breaks off, unless `breaks` is there to note it.
        """
        rows = self._text_rows() if self.text else self._sheet_rows()
        if self.breaks is not None:
            rows = self.breaks.up_to(rows)
        while True:
            batch = Batch()
            for line, cells, fault in islice(rows, size):
                if fault:
                    batch.faults.append((line, fault))
                else:
                    batch.lines.append(line)
                    batch.rows.append(cells)
            if not len(batch):
                return
            yield batch

    def plain_lines(self) -> Iterator[bytes]:
        """The lines below the header of a plain file as bytes, in blocks of whole lines.

        Each line with `width` cells is a row, the delimiter between its cells; the last of the file
        may have no end.
        """
        with self.path.open("rb") as handle:
            for _ in range(self.header_line):
                handle.readline()
            rest = b""
            while chunk := handle.read(BLOCK):
                block, end, rest = (rest + chunk).replace(b"\r\n", b"\n").rpartition(b"\n")
                if end:
                    yield block + end
        if rest:
            yield rest

    @property
    def plain(self) -> bool:
        """Whether `plain_lines` says all that the file says."""
        return self.text is not None and self.text.plain and self.frame is None

    def column(self, number: int) -> str:
        """The name of a column for a message."""
        return self.header[number] or f"column {number + 1}"

    def _text_rows(self) -> Iterator[tuple[int, list[str], str]]:
        if self.text is None:
            return
        width, escapes = len(self.header), self.text.escapes
        rows = _csv_rows(self.text, self.delimiter, self.name)
        below: Iterator[Row] = (row for row in rows if row[0] > self.header_line)
        if self.frame:
            below = framed_rows(below, self.frame, self.name)
        for line, cells, fault in below:
            if not fault and len(cells) != width:
                fault = _width_fault(cells, width)
                if fault and self.text.unended and line > self.text.lines and len(cells) < width:
                    raise Broken(self.name, line, CUT, count=f"{len(cells):,}", named=f"{width:,}")
            if not fault and escapes:
                fault = _undecoded(cells, self.header)
            if fault or any(cells):
                yield line, cells, fault

    def _sheet_rows(self) -> Iterator[tuple[int, list[str], str]]:
        width = len(self.header)
        if self.frame:
            rows = ((n, cells, "") for n, cells in workbook_rows(self.path, self.name))
            below = (row for row in rows if row[0] > self.header_line)
            yield from framed_rows(below, self.frame, self.name)
            return
        for line, cells in workbook_rows(self.path, self.name):
            if line <= self.header_line or not cells:
                continue
            fault = _width_fault(cells, width) if len(cells) > width else ""
            cells.extend([""] * (width - len(cells)))
            yield line, cells, fault


def open_table(path: Path, name: str | None = None) -> Table:
    """Open a file by its name's ending; raises `Refused` if it is no table we can read."""
    name = name or path.name
    ending = Path(name).suffix.lower()
    if not path.is_file():
        raise Refused([fault_at(name, "there is no such file")])
    if ending == ".xlsx":
        return _open_sheet(path, name)
    if ending not in TEXT_NAMES:
        fault = "bring a file that ends in %(names)s or .xlsx"
        raise Refused([fault_at(name, fault, names=", ".join(TEXT_NAMES))])
    text = examine(path, name)
    first = next(text.open_lines(), "")
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator:
        first = next(islice(text.open_lines(), 1, None), "")
    delimiter = separator[1] if separator else _delimiter(first)
    for line, cells, fault in _csv_rows(text, delimiter, name):
        if fault:
            raise Refused([fault_at(f"{name}:{line}", fault)])
        if any(c.strip() for c in cells) and not (separator and line == 1):
            frame = FRAMES.get(cells[0].strip())
            header = frame.columns if frame else _header(cells, name, line)
            return Table(
                name, header, line, text.encoding, delimiter, text.lines, path, text, frame
            )
    raise Refused([fault_at(name, "has no line with column names")])


def _open_sheet(path: Path, name: str) -> Table:
    for line, cells in workbook_rows(path, name):
        if any(c.strip() for c in cells):
            frame = FRAMES.get(cells[0].strip())
            header = frame.columns if frame else _header(cells, name, line)
            return Table(name, header, line, "xlsx", "", 0, path, None, frame)
    raise Refused([fault_at(name, "its first worksheet is empty")])


def _header(cells: Sequence[str], name: str, line: int) -> tuple[str, ...]:
    if len(cells) > MAX_COLUMNS:
        fault = "has %(count)s columns; at most %(most)s are read"
        counts = {"count": f"{len(cells):,}", "most": f"{MAX_COLUMNS:,}"}
        raise Refused([fault_at(f"{name}:{line}", fault, **counts)])
    try:
        "".join(cells).encode()
    except UnicodeEncodeError as error:
        fault = "column names hold bytes that are not UTF-8"
        raise Refused([fault_at(f"{name}:{line}", fault)]) from error
    titles: list[str] = []
    seen: Counter[str] = Counter()
    for cell in cells:
        title = clean(cell)[:200]
        seen[title] += 1
        # A column that comes twice keeps a name of its own, so that a mapping can tell them apart.
        titles.append(f"{title} ({seen[title]})" if title and seen[title] > 1 else title)
    return tuple(titles)


def _delimiter(line: str) -> str:
    """The sign between the columns of the first line: the most frequent outside quotes."""
    bare = re.sub(r'"[^"]*"', "", line)
    counts = {sign: bare.count(sign) for sign in ("\t", ",", ";", "|")}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else ","


def _csv_rows(text: TextFile, delimiter: str, name: str) -> Iterator[tuple[int, list[str], str]]:
    """(first physical line, cells, fault) of each row."""
    csv.field_size_limit(MAX_FIELD)
    ended = [0]

    def guarded() -> Iterator[str]:
        for number, line in enumerate(text.open_lines(), start=1):
            if number - ended[0] > MAX_ROW_LINES:
                fault = (
                    "a quotation mark opened in this line is not closed; "
                    'write a quotation mark inside a field as ""'
                )
                raise Broken(name, ended[0] + 1, fault)
            yield line

    reader = csv.reader(guarded(), delimiter=delimiter, strict=True)
    while True:
        start = ended[0] + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if swallowed := _swallowed(str(error)):
                raise Broken(name, start, swallowed, most=f"{MAX_FIELD:,}") from error
            yield start, [], f"cannot be read as columns: {error}"
            ended[0] = reader.line_num
            continue
        ended[0] = reader.line_num
        yield start, cells, ""


def _swallowed(message: str) -> str:
    """What to say when a row ate the lines after it, so that no later line can be trusted."""
    if "unexpected end of data" in message:
        return "a quotation mark opened in this line is not closed before the file ends"
    if "field limit" in message or "field larger" in message:
        return "a field holds more than %(most)s characters; is a quotation mark not closed?"
    return ""


def _width_fault(cells: list[str], width: int) -> str:
    """What is wrong with a row of another width; blank cells too many are cut off."""
    if len(cells) > width and not any(cells[width:]):
        del cells[width:]
        return ""
    if not any(cells):
        cells[:] = [""] * width
        return ""
    return f"has {len(cells):,} columns where the first line names {width:,}"


def _undecoded(cells: list[str], header: tuple[str, ...]) -> str:
    """The fault of a row that holds bytes of another encoding, naming the column."""
    for cell, title in zip(cells, header, strict=True):
        if not cell.isascii() and any("\udc80" <= c <= "\udcff" for c in cell):
            return (
                f"“{title}” holds bytes that are not in the encoding of the rest of the file; "
                "save the file as UTF-8"
            )
    return ""
