"""The hours in which a journey's messages may go, as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from crm.mail.hours import EVERY_DAY, Hours
from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.calendar.days import WEEKDAYS
from lifecycle.journeys.steps import DAY, Part

SCHOOL = "school"
SPAN = re.compile(r"\s*(\d{1,2})(?::([0-5]\d))?\s*(?:-|–|to)\s*(\d{1,2})(?::([0-5]\d))?\s*")


class Window(Part):
    """From `opens` to before `closes` (minutes of the day) on these days of the week (0: Monday),
    or on `school` days by the calendar, where the person lives."""

    opens: int = Field(ge=0, lt=1440)
    closes: int = Field(gt=0, le=1440)
    days: tuple[int, ...] = Field(min_length=1, max_length=7)
    on: Literal["any", "school"] = "any"

    @model_validator(mode="after")
    def _opens(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("hours: the window closes before it opens")
        return self

    def hours(self, calendar: SchoolCalendar, at: datetime, until: datetime) -> Hours:
        """The window as the send policy takes it for a message that lives from `at` to `until`."""
        shut: list[date] = []
        if self.on == SCHOOL:
            first, last = at.date() - timedelta(days=1), until.date() + timedelta(days=1)
            days = (first + timedelta(days=n) for n in range((last - first).days + 1))
            shut = [day for day in days if not calendar.is_school_day(day)]
        return Hours(_time(self.opens), _time(self.closes), self.days, frozenset(shut))

    @property
    def longest_shut(self) -> int:
        """The longest time between two openings, in seconds, school holidays left aside."""
        open_days = sorted({day % 7 for day in self.days})
        gaps = [
            (b - a) % 7 or 7 for a, b in zip(open_days, [*open_days[1:], open_days[0]], strict=True)
        ]
        return max(gaps) * DAY - (self.closes - self.opens) * 60


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)


def canonical_window(written: Any) -> Any:
    """`{days: mon-fri, hours: 9-17}` in canonical form; what cannot be read stays as it is."""
    if not isinstance(written, Mapping) or "opens" in written:
        return written
    found = {k: v for k, v in written.items() if k not in ("days", "hours")}
    days = written.get("days", "daily")
    if days == SCHOOL:
        found |= {"days": [0, 1, 2, 3, 4], "on": SCHOOL}
    else:
        found["days"] = _days(days)
    match = SPAN.fullmatch(str(written.get("hours", "0-24")))
    if match is None:
        found["opens"] = written.get("hours")
        return found
    opens, closes = (int(match[n]) * 60 + int(match[n + 1] or 0) for n in (1, 3))
    return found | {"opens": opens, "closes": closes}


def _days(written: Any) -> Any:
    """`mon-fri`, `mon, wed`, `daily`, or a list of such, as numbers."""
    parts = written if isinstance(written, list) else str(written).split(",")
    found: list[int] = []
    for part in parts:
        text = str(part).strip().lower()
        if text == "daily":
            found.extend(EVERY_DAY)
            continue
        first, _, last = text.partition("-")
        low, high = _weekday(first), _weekday(last or first)
        if low is None or high is None:
            return written
        found.extend((low + n) % 7 for n in range((high - low) % 7 + 1))
    return sorted(set(found))


def _weekday(word: str) -> int | None:
    word = word.strip()
    return next((n for n, name in enumerate(WEEKDAYS) if word in (name, name[:3])), None)


def spelled_window(window: Window) -> str:
    """The window as it is written: `mon, tue 09:00-17:00`."""
    days = SCHOOL if window.on == SCHOOL else ", ".join(WEEKDAYS[day][:3] for day in window.days)
    opens, closes = (f"{m // 60:02}:{m % 60:02}" for m in (window.opens, window.closes))
    return f"{days} {opens}-{closes}"
