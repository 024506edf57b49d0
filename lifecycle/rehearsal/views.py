"""Draws what a rehearsal came to: bands by week, bars, the two maps, the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import format_date
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.consent.queries import topics
from crm.consent.words import topic_name
from crm.mail.reasons import sentence
from crm.web.cells import lines
from crm.web.charts import Bars, Heat, bars, heat, nice_top
from lifecycle.continuum.words import phase_choices, stage_choices

Band = Sequence[int]


@dataclass(frozen=True)
class Bands:
    """A line between its lowest and highest, with its figures: (label, low, middle, high)."""

    key: str
    title: str
    points: tuple[tuple[str, int, int, int], ...]
    top: float
    path: str
    area: str

    @property
    def peak(self) -> tuple[str, int, int, int]:
        """The point with the highest middle."""
        return max(self.points, key=lambda point: point[2])


@dataclass(frozen=True)
class Picture:
    """Everything that the page of a rehearsal shows."""

    weeks: Bands
    tasks: Bands | None
    topics: Bars
    reasons: Bars
    contacts: Bars
    before: Heat
    after: Heat
    stages: tuple[Bands, ...]


def picture(session: Session, result: Mapping[str, Any]) -> Picture:
    """The drawings of one result."""
    weeks, totals = result["weeks"], result["totals"]
    names = {topic.key: topic_name(topic) for topic in topics(session)}
    tasks = bands("tasks", _("Tasks for staff by week"), weeks, lambda week: week["tasks"])
    return Picture(
        weeks=bands("weeks", _("Messages by week"), weeks, lambda week: week["messages"]),
        tasks=tasks if any(point[3] for point in tasks.points) else None,
        topics=bars("topics", _("Messages by topic"), [
            (names.get(key, key), told[1]) for key, told in totals["by_topic"].items()
        ]),
        reasons=bars("reasons", _("Not sent, by reason"), [
            (sentence(key), told[1]) for key, told in totals["by_reason"].items()
        ]),
        contacts=bars("contacts", _("People by how many messages they get"), [
            (key, told[1]) for key, told in sorted(
                result["contacts"].items(), key=lambda item: int(item[0])
            )
        ]),
        before=_map("before", _("Today"), result["map"]["before"]),
        after=_map("after", _("At the end"), result["map"]["after"]),
        stages=tuple(
            bands(f"stage-{key}", str(label), weeks, lambda week, key=key: week["stages"][key])
            for key, label in stage_choices().items() if all(key in w["stages"] for w in weeks)
        ),
    )  # fmt: skip


def bands(key: str, title: str, weeks: Sequence[Mapping[str, Any]], read: Any) -> Bands:
    """A band over weeks; the line is the middle, the area from the lowest to the highest."""
    told = [read(week) for week in weeks]
    points = tuple(
        (_day(week["from"]), low, middle, high)
        for week, (low, middle, high) in zip(weeks, told, strict=True)
    )
    top = nice_top(max((high for _, _, _, high in points), default=0))
    last = max(len(points) - 1, 1)

    def place(number: int, value: int) -> str:
        return f"{round(100 * number / last, 2):g} {round(100 - 100 * value / top, 2):g}"

    middle = [place(n, point[2]) for n, point in enumerate(points)]
    above = [place(n, point[3]) for n, point in enumerate(points)]
    below = [place(n, point[1]) for n, point in reversed(list(enumerate(points)))]
    path, area = "M" + " L".join(middle), "M" + " L".join([*above, *below]) + " Z"
    return Bands(key, title, points, top, path, area)


def _day(text: str) -> str:
    return str(format_date(date.fromisoformat(text), "medium"))  # type: ignore[no-untyped-call]


def _map(key: str, title: str, counts: Mapping[str, Mapping[str, Band]]) -> Heat:
    phases, stages = phase_choices(), stage_choices()
    return heat(
        key, title,
        rows=[(phase, label) for phase, label in phases.items() if phase in counts],
        columns=list(stages.items()),
        counts={
            (phase, stage): told[1] for phase, row in counts.items() for stage, told in row.items()
        },
        corner=_("Phase"),
    )  # fmt: skip


def table(result: Mapping[str, Any]) -> str:
    """The figures by week as CSV: what is counted, of what, lowest, middle, highest."""
    rows: list[Sequence[Any]] = [("week", "from", "figure", "of", "lowest", "middle", "highest")]
    for week in result["weeks"]:
        head = (week["week"], week["from"])
        rows += [(*head, name, "", *week[name]) for name in ("messages", "entered", "tasks")]
        for name in ("by_topic", "skipped", "stages"):
            rows += [(*head, name, key, *told) for key, told in week[name].items()]
    for told in result["days"]:
        rows.append(("", told["day"], "day", told["topic"], *told["messages"]))
    for step in result["steps"]:
        rows.append(("", "", "step", f"{step['journey']}/{step['step']}", *step["ran"]))
    return lines(rows)
