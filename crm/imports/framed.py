"""Files without column names: tagged lines between an opening one and one that counts them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crm.imports.broken import Broken
from crm.imports.layout import Frame

Row = tuple[int, list[str], str]


def framed_rows(rows: Iterable[Row], frame: Frame, name: str) -> Iterator[Row]:
    """The lines of people, as wide as the frame's columns.

    Raises `Broken` once the file proves to be broken off: no closing line, or another count in it.
    """
    seen, width = 1, len(frame.columns)
    for line, cells, fault in rows:
        if not fault and not any(cells):
            continue
        seen += 1
        tag = cells[0].strip() if cells else ""
        if tag == frame.closes:
            _check(cells, seen, name, line)
            return
        if not fault and tag != frame.line:
            fault = f"begins with “{tag[:20]}” where {frame.line} is expected"
        if not fault and len(cells) > width and any(cells[width:]):
            fault = f"has {len(cells):,} columns where the layout has {width:,}"
        yield line, (cells + [""] * width)[:width], fault
    missing = "is broken off: its last line, which begins with %(tag)s, is missing"
    raise Broken(name, 0, missing, tag=frame.closes)


def _check(cells: list[str], seen: int, name: str, line: int) -> None:
    told = cells[1].strip() if len(cells) > 1 else ""
    if not (told.isdecimal() and len(told) < 12 and int(told) == seen):
        fault = "says that the file has “%(told)s” lines; it has %(seen)s"
        raise Broken(name, line, fault, told=told[:20], seen=f"{seen:,}")
