"""How often one person may be asked, and how long a hold lasts: the numbers and pure rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

REST_AFTER_ASK = timedelta(days=60)
"""Nobody is asked again, for whatever, so soon after any ask."""
REST_AFTER_NO = timedelta(days=180)
"""Nor so soon after a no to the same way of helping."""
MOST_A_YEAR = 4
"""Nor more often than this in a year, from all schools together."""
HOLD = timedelta(hours=72)
SOONEST = timedelta(hours=12)
"""A date nearer than this is too near to ask for."""
NEVER = date(9999, 12, 31)
LATER_AT_LEAST = timedelta(days=45)
SEASONS: Mapping[str, tuple[int, int]] = {"spring": (3, 1), "autumn": (9, 1)}


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
