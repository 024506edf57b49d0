"""The report of load, fairness and lift as plain values: for the page, its file and the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from crm.core.viewer import Viewer
from segments.asks.lift import Chosen, chosen_in
from segments.asks.load import MOST_SHOWN, Load, Period, load_of


@dataclass(frozen=True)
class Report:
    """What became of the asks of a period: how they fell, and whether ranking helped."""

    period: Period
    load: Load
    chosen: Chosen

    def times(self) -> Mapping[str, int]:
        """People by how often they were asked; the last key ends with a plus."""
        return {f"{n}{'+' * (n == MOST_SHOWN)}": c for n, c in self.load.counts.items()}

    def to_json(self) -> dict[str, Any]:
        """All figures; shares are from 0 to 1, hours in hours."""
        asked, willing = self.load.asked, self.load.willing
        return {
            "from": self.period.since, "to": self.period.until, "asks": asked.asks,
            "people_asked": asked.people, "yeses": asked.yeses, "hours": asked.hours,
            "asked": asked.to_json(),
            "willing": {
                **willing.to_json(), "not_asked": self.load.spared, "never_asked": self.load.never
            },
            "asks_per_person": self.times(), "choice": self.chosen.to_json(),
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[str, Any]]:
        """A line for each figure, named by its place in the JSON (`willing.people`)."""
        yield from _flat(self.to_json(), "")


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def report_of(session: Session, viewer: Viewer, period: Period) -> Report:
    """The report of a period on the people whom this viewer may see."""
    return Report(period, load_of(session, viewer, period), chosen_in(session, viewer, period))
