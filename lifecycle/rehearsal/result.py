"""Puts several runs together as bands, and says it all as one plain value; no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from lifecycle.journeys.steps import Send
from lifecycle.rehearsal.gathering import Figures, Taken

Band = list[int]
"""The lowest, middle and highest of the runs, in people or messages of the whole district."""


def banded(runs: Sequence[Figures], weight: float) -> dict[str, dict[tuple[Any, ...], Band]]:
    """Each figure of some runs as a band, scaled up from the sample."""
    names = {name for run in runs for name in run}
    found: dict[str, dict[tuple[Any, ...], Band]] = {}
    for name in names:
        keys = {key for run in runs for key in run.get(name, {})}
        found[name] = {
            key: band([run.get(name, {}).get(key, 0) * weight for run in runs]) for key in keys
        }
    return found


def band(values: Sequence[float]) -> Band:
    """Lowest, middle and highest of some values."""
    return [round(min(values)), round(median(values)), round(max(values))]


def result(
    runs: Sequence[Taken], *, weight: float, start: datetime, weeks: int, ladder: Sequence[str]
) -> dict[str, Any]:
    """What the runs came to: totals, by week, by day, by step, by person, by phase and stage."""
    bands = banded([run.figures for run in runs], weight)
    nothing = [0, 0, 0]

    def of(name: str, *key: Any) -> Band:
        return bands.get(name, {}).get(key, nothing)

    return {
        "totals": {
            "messages": of("total", "messages"), "skipped": of("total", "skipped"),
            "by_topic": _by(bands, "topics"), "by_reason": _by(bands, "reasons"),
            "entered": _by(bands, "entrants"),
        },
        "weeks": _weeks(bands, _stages(runs, weight, weeks, ladder), start),
        "days": [
            {"day": day, "topic": topic, "messages": told}
            for (day, topic), told in sorted(bands.get("days", {}).items())
        ],
        "contacts": {
            str(mails): people for (mails,), people in sorted(bands.get("spread", {}).items())
        },
        "map": {"before": _map(bands, "before"), "after": _map(bands, "after")},
        "steps": _steps(runs, of),
        "unreached": [
            {"journey": key, "step": step.id}
            for key, document in runs[0].documents.items()
            for step in document.steps
            if not of("ran", key, step.id)[2]
        ],
    }  # fmt: skip


def _weeks(
    bands: Mapping[str, Mapping[tuple[Any, ...], Band]], stages: Sequence[Any], start: datetime
) -> list[dict[str, Any]]:
    """What each week brings, and where people stand at its end."""
    whole = ("messages", "entered", "tasks")
    return [
        {
            "week": week + 1, "from": (start + timedelta(weeks=week)).date().isoformat(),
            "by_topic": _within(bands, "sent", week), "skipped": _within(bands, "skipped", week),
            "stages": standing,
            **{name: bands.get(name, {}).get((week,), [0, 0, 0]) for name in whole},
        }
        for week, standing in enumerate(stages)
    ]  # fmt: skip


def _by(bands: Mapping[str, Mapping[tuple[Any, ...], Band]], name: str) -> dict[str, Band]:
    """The figures of one name by their only key, the largest first."""
    found = sorted(bands.get(name, {}).items(), key=lambda item: (-item[1][1], item[0]))
    return {key[0]: told for key, told in found}


def _within(
    bands: Mapping[str, Mapping[tuple[Any, ...], Band]], name: str, week: int
) -> dict[str, Band]:
    found = bands.get(name, {}).items()
    return {key[1]: told for key, told in sorted(found) if key[0] == week}


def _map(
    bands: Mapping[str, Mapping[tuple[Any, ...], Band]], name: str
) -> dict[str, dict[str, Band]]:
    found: dict[str, dict[str, Band]] = {}
    for (phase, stage), told in sorted(bands.get(name, {}).items()):
        found.setdefault(phase, {})[stage] = told
    return found


def _steps(runs: Sequence[Taken], of: Callable[..., Band]) -> list[dict[str, Any]]:
    """Each step of each journey: how often it was run, and what came of its messages."""
    return [
        {
            "journey": key, "step": step.id, "kind": step.kind, "ran": of("ran", key, step.id),
            **(
                {"sent": of("step_sent", key, step.id), "skipped": of("step_skipped", key, step.id)}
                if isinstance(step, Send) else {}
            ),
        }
        for key, document in runs[0].documents.items()
        for step in document.steps
    ]  # fmt: skip


def _stages(
    runs: Sequence[Taken], weight: float, weeks: int, ladder: Sequence[str]
) -> list[dict[str, Band]]:
    """How many people stand at each stage at the end of each week, from the moves of the runs."""
    told: list[dict[str, list[float]]] = [{stage: [] for stage in ladder} for _ in range(weeks)]
    for run in runs:
        now = dict.fromkeys(ladder, 0.0)
        for (_, stage), people in run.figures["before"].items():
            now[stage] = now.get(stage, 0) + people
        moves = run.figures.get("moves", {})
        for week in range(weeks):
            for (at, old, new), people in moves.items():
                if at == week:
                    now[old] = now.get(old, 0) - people
                    now[new] = now.get(new, 0) + people
            for stage in ladder:
                told[week][stage].append(now[stage] * weight)
    return [{stage: band(values) for stage, values in week.items()} for week in told]


def difference(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """How the middle figures of a draft differ from those of what is live."""
    old, new = now["totals"], then["totals"]

    def differs(name: str) -> dict[str, int]:
        words = {**old[name], **new[name]}
        both = {w: new[name].get(w, [0, 0, 0])[1] - old[name].get(w, [0, 0, 0])[1] for w in words}
        return {word: amount for word, amount in both.items() if amount}

    return {
        "messages": new["messages"][1] - old["messages"][1],
        "skipped": new["skipped"][1] - old["skipped"][1],
        "by_topic": differs("by_topic"), "by_reason": differs("by_reason"),
        "entered": differs("entered"),
    }  # fmt: skip
