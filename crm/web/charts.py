"""Charts drawn on the server: values in, geometry out, with no style attribute and no script.

Each chart is a plain value that `templates/components/charts.html` draws as SVG with a table twin.
Widths and places are in parts of 100 of the drawing, so that it fits a phone as well as a wall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEAT_LEVELS = 5


@dataclass(frozen=True)
class Bar:
    """One bar: `width` of 100; `share` of all values together, from 0 to 1."""

    label: Any
    value: float
    width: float
    share: float
    href: str = ""


@dataclass(frozen=True)
class Bars:
    """Bars under one another, the longest filling the drawing."""

    key: str
    title: Any
    rows: tuple[Bar, ...]
    total: float


@dataclass(frozen=True)
class Part:
    """A part of a stacked bar, from `x` on `width` wide, of 100."""

    label: Any
    value: float
    x: float
    width: float
    share: float
    tone: str
    href: str = ""


@dataclass(frozen=True)
class Stacked:
    """One bar made of parts that add up to `total` (law 4 as a picture)."""

    key: str
    title: Any
    parts: tuple[Part, ...]
    total: float


@dataclass(frozen=True)
class Cell:
    """A square of a heat map; `level` is 0 for none up to HEAT_LEVELS for the most."""

    value: int
    level: int
    href: str = ""


@dataclass(frozen=True)
class HeatRow:
    """A row of a heat map with its sum."""

    label: Any
    cells: tuple[Cell, ...]
    total: int


@dataclass(frozen=True)
class Heat:
    """Counts by two axes, with the sums of rows and columns."""

    key: str
    title: Any
    corner: Any
    columns: tuple[Any, ...]
    rows: tuple[HeatRow, ...]
    column_totals: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Line:
    """A line through `points` (label, value): SVG paths in a drawing of 100 by 100, y downwards."""

    key: str
    title: Any
    points: tuple[tuple[Any, float], ...]
    top: float
    path: str
    area: str


@dataclass(frozen=True)
class Stage:
    """A step of a funnel: `width` of 100; `kept` is the share of the step before, if any."""

    label: Any
    value: float
    width: float
    kept: float | None
    href: str = ""


@dataclass(frozen=True)
class Funnel:
    """How many are left after each step."""

    key: str
    title: Any
    stages: tuple[Stage, ...]


def _round(value: float) -> float:
    return round(value, 2)


def _share(value: float, whole: float) -> float:
    return value / whole if whole > 0 else 0.0


def bars(key: str, title: Any, rows: Sequence[tuple[Any, float] | tuple[Any, float, str]]) -> Bars:
    """Bars of (label, value) or (label, value, address); `key` is unique on its page.

    A value above nothing is never drawn thinner than one part, so that it can be seen.
    """
    values = [max(0.0, row[1]) for row in rows]
    longest, total = max(values, default=0), sum(values)
    drawn = []
    for row, value in zip(rows, values, strict=True):
        width = max(1.0, 100 * value / longest) if value else 0.0
        href = str(row[2]) if len(row) > 2 else ""
        drawn.append(Bar(row[0], row[1], _round(width), _share(value, total), href))
    return Bars(key, title, tuple(drawn), total)


def stacked(
    key: str, title: Any, parts: Sequence[tuple[Any, float, str] | tuple[Any, float, str, str]]
) -> Stacked:
    """One bar of (label, value, tone) or (label, value, tone, address); widths add up to 100.

    Tones: good, warn, bad, info, quiet.
    """
    values = [max(0.0, part[1]) for part in parts]
    total = sum(values)
    drawn, before = [], 0.0
    for part, value in zip(parts, values, strict=True):
        x, end = 100 * _share(before, total), 100 * _share(before + value, total)
        href = str(part[3]) if len(part) > 3 else ""
        width = _round(end) - _round(x)
        drawn.append(
            Part(part[0], part[1], _round(x), _round(width), _share(value, total), part[2], href)
        )
        before += value
    return Stacked(key, title, tuple(drawn), total)


def heat_level(value: float, most: float) -> int:
    """0 for none; else 1 to HEAT_LEVELS by the square root of the share, as counts are skewed."""
    if value <= 0 or most <= 0:
        return 0
    root: float = min(1.0, value / most) ** 0.5
    return max(1, min(HEAT_LEVELS, int(root * HEAT_LEVELS + 0.999999)))


def heat(
    key: str,
    title: Any,
    *,
    rows: Sequence[tuple[str, Any]],
    columns: Sequence[tuple[str, Any]],
    counts: Mapping[tuple[str, str], int],
    hrefs: Mapping[tuple[str, str], str] | None = None,
    corner: Any = "",
) -> Heat:
    """A map of `counts` by (row key, column key); axes are (key, label) in order."""
    links = hrefs or {}
    inside = [counts.get((r, c), 0) for r, _ in rows for c, _ in columns]
    most = max(inside, default=0)
    drawn = []
    for row, label in rows:
        cells = []
        for column, _ in columns:
            value = counts.get((row, column), 0)
            href = links.get((row, column), "") if value else ""
            cells.append(Cell(value, heat_level(value, most), href))
        drawn.append(HeatRow(label, tuple(cells), sum(cell.value for cell in cells)))
    sums = tuple(sum(counts.get((r, c), 0) for r, _ in rows) for c, _ in columns)
    labels = tuple(label for _, label in columns)
    return Heat(key, title, corner, labels, tuple(drawn), sums, sum(sums))


def nice_top(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, … at or above `value`; 1 for nothing."""
    if value <= 0:
        return 1.0
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if step * factor >= value:
                return step * factor
        step *= 10


def line(key: str, title: Any, points: Sequence[tuple[Any, float]]) -> Line:
    """A line over (label, value) in order, from zero up to a round number above the highest."""
    values = [max(0.0, value) for _, value in points]
    top = nice_top(max(values, default=0))
    last = len(values) - 1
    places = [
        (_round(100 * n / last) if last > 0 else 0.0, _round(100 - 100 * value / top))
        for n, value in enumerate(values)
    ]
    if len(places) == 1:  # One point is a level line, not nothing.
        places.append((100.0, places[0][1]))
    path = " ".join(f"{'M' if n == 0 else 'L'}{x:g} {y:g}" for n, (x, y) in enumerate(places))
    area = f"{path} L100 100 L0 100 Z" if places else ""
    return Line(key, title, tuple(points), top, path, area)


def funnel(
    key: str, title: Any, stages: Sequence[tuple[Any, float] | tuple[Any, float, str]]
) -> Funnel:
    """Steps of (label, value) or (label, value, address), each measured against the widest."""
    values = [max(0.0, stage[1]) for stage in stages]
    widest = max(values, default=0)
    drawn = []
    for n, (stage, value) in enumerate(zip(stages, values, strict=True)):
        width = max(1.0, 100 * value / widest) if value else 0.0
        before = values[n - 1] if n else 0.0
        kept = None if n == 0 else _share(value, before)
        href = str(stage[2]) if len(stage) > 2 else ""
        drawn.append(Stage(stage[0], stage[1], _round(width), kept, href))
    return Funnel(key, title, tuple(drawn))
