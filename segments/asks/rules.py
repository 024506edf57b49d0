"""How often one person may be asked, and how long a hold lasts: the numbers and pure rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar

from pydantic import Field

from crm.core.district import Choices

MOST_CHOICES = (1, 2)
"""How often in a year a person can say that they want to be asked at most."""
HOLD = timedelta(hours=72)
SOONEST = timedelta(hours=12)
"""A date nearer than this is too near to ask for."""
NEVER = date(9999, 12, 31)
LATER_AT_LEAST = timedelta(days=45)
MONTHS_AHEAD = 12
SEASONS: Mapping[str, tuple[int, int]] = {"spring": (3, 1), "autumn": (9, 1)}


class AskCare(Choices):
    """A district's cap: days without any ask after one, days without one for the same way after a
    no to it, and the most asks of a person in a year, from all schools together."""

    key: ClassVar[str] = "ask_care"
    rest: int = Field(default=60, ge=14, le=365)
    rest_after_no: int = Field(default=180, ge=30, le=730)
    most_a_year: int = Field(default=4, ge=1, le=12)


def hold_until(at: datetime, starts: Sequence[datetime]) -> datetime:
    """Until when a place is held for somebody asked at `at` for one of these times.

    Three days, but the answer must come a day before the last of the dates; where even that is
    near, half of the time that is left.
    """
    last = max(starts)
    latest = last - timedelta(days=1)
    if latest <= at:
        latest = at + (last - at) / 2
    return min(at + HOLD, latest)


def later_choices(today: date) -> dict[str, date]:
    """The seasons one may put an ask off to, soonest first, none of them just ahead."""
    found = {}
    for name, (month, day) in SEASONS.items():
        start = date(today.year, month, day)
        while start < today + LATER_AT_LEAST:
            start = date(start.year + 1, month, day)
        found[name] = start
    return dict(sorted(found.items(), key=lambda item: item[1]))


def later_months(today: date) -> list[date]:
    """The months, by their first day, that one may put an ask off to: a year of them."""
    found: list[date] = []
    first = today.replace(day=1)
    while len(found) < MONTHS_AHEAD:
        first = (first + timedelta(days=32)).replace(day=1)
        if first >= today + LATER_AT_LEAST:
            found.append(first)
    return found
