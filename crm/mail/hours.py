"""The hours in which mail may go, where its reader lives: the district's, and a message's own.

Pure but for the group that a district chooses. Days are 0 (Monday) to 6; times are those on the
wall, so that a change of the clock moves nobody's morning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from crm.core.district import Choices

EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
FARTHEST = 60
"""So many days ahead an open hour is looked for; who finds none would never get their mail."""


@dataclass(frozen=True)
class Hours:
    """From `opens` to before `closes` on these days of the week, but `not_on` these dates.

    A `closes` of 0:00 is the end of the day.
    """

    opens: time = time(8)
    closes: time = time(20)
    days: tuple[int, ...] = EVERY_DAY
    not_on: frozenset[date] = field(default_factory=frozenset)

    def on(self, day: date) -> tuple[int, int] | None:
        """The open minutes of a day, from and to; None on a day that is shut."""
        if day.weekday() not in self.days or day in self.not_on:
            return None
        return _minutes(self.opens), _minutes(self.closes) or 24 * 60

    def plain(self) -> dict[str, Any]:
        """The value as it is kept with a message."""
        return {
            "opens": self.opens.isoformat("minutes"), "closes": self.closes.isoformat("minutes"),
            "days": list(self.days), "not_on": sorted(day.isoformat() for day in self.not_on),
        }  # fmt: skip


def kept(value: Mapping[str, Any] | None) -> Hours | None:
    """The hours again that `Hours.plain` gave."""
    if value is None:
        return None
    return Hours(
        time.fromisoformat(value["opens"]), time.fromisoformat(value["closes"]),
        tuple(value["days"]), frozenset(date.fromisoformat(day) for day in value["not_on"]),
    )  # fmt: skip


def _minutes(of_day: time) -> int:
    return of_day.hour * 60 + of_day.minute


def first_open(at: datetime, zone: ZoneInfo, *hours: Hours) -> datetime | None:
    """The first moment, `at` or later, that is open by all of these hours in a zone."""
    local = at.astimezone(zone)
    for n in range(FARTHEST):
        day = local.date() + timedelta(days=n)
        spans = [each.on(day) for each in hours]
        open_spans = [span for span in spans if span is not None]
        if len(open_spans) < len(spans):
            continue
        start, end = max(s for s, _ in open_spans), min(e for _, e in open_spans)
        if start >= end:
            return None
        now = _minutes(local.time()) if n == 0 else 0
        if n == 0 and start <= now < end:
            return at
        if n > 0 or now < start:
            opened = datetime.combine(day, time(start // 60, start % 60), tzinfo=zone)
            return max(opened.astimezone(at.tzinfo), at)
    return None


class SendingHours(Choices):
    """When a district lets marketing and asks go, by the clock where the reader lives."""

    key: ClassVar[str] = "sending_hours"
    opens: int = Field(default=8, ge=0, le=22)
    closes: int = Field(default=20, ge=2, le=24)
    days: tuple[int, ...] = Field(default=EVERY_DAY, min_length=1, max_length=7)

    @model_validator(mode="after")
    def _wide_enough(self) -> Self:
        if self.closes - self.opens < 2 or not set(self.days) <= set(EVERY_DAY):
            raise ValueError("leave at least two hours on a day of the week")
        return self

    @property
    def hours(self) -> Hours:
        """The same as the send policy takes it."""
        return Hours(time(self.opens), time(self.closes % 24), tuple(sorted(set(self.days))))
