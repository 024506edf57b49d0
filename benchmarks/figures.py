"""One measured figure: ours, its floor, and the ratio that we set out to reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`ours` and `floor` in `unit`, measured in the same run, and the `goal` for ours over floor.

    With `at_least` more is better, as for messages a second; otherwise less is, as for seconds.
    Without a goal the figure is only told.
    """

    area: str
    name: str
    size: int
    unit: str
    ours: float
    floor: float
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the floor."""
        return self.ours / self.floor if self.floor else float("inf")

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def as_json(self) -> dict[str, Any]:
        """Everything about the figure, plain."""
        return {**asdict(self), "ratio": round(self.ratio, 3), "met": self.met}


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * round(share * 100) // 100))
    return ordered[rank - 1]


def timed(act: Callable[[], Any]) -> float:
    """The milliseconds that `act` takes."""
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def side_by_side(
    ours: Callable[[], Any], floor: Callable[[], Any], times: int, warm: int = 3
) -> tuple[list[float], list[float]]:
    """Milliseconds of both, turn by turn, so that a busy machine slows both alike."""
    for _ in range(warm):
        ours()
        floor()
    pairs = [(timed(ours), timed(floor)) for _ in range(times)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| what | people | ours | floor | ratio | goal | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for f in figures:
        sign = "≥" if f.at_least else "≤"
        goal = f"{sign} {f.goal:g}" if f.goal is not None else ""
        verdict = {True: "met", False: "**missed**", None: ""}[f.met]
        ours, floor = f"{_plain(f.ours)} {f.unit}", f"{_plain(f.floor)} {f.unit}"
        what = f"{f.area}: {f.name}" + (f" ({f.note})" if f.note else "")
        lines.append(
            f"| {what} | {f.size:,} | {ours} | {floor} | {f.ratio:.2f} | {goal} | {verdict} |"
        )
    return "\n".join(lines)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
