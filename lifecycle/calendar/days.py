"""Days said in words: a weekday, a date, a day of the school calendar, so long before or after one.

Pure: the calendar and the day to look from are arguments. What can be written:

- `monday`, `school day`
- `2027-03-01`, `03-01` (every year)
- `second tuesday of term`, `last friday of october`, `first monday of month`
- `first day of term`, `last day of term` (or `start of term`, `end of term`)
- `first school day of term`, `last school day of december`
- the key of a named day of the calendar: `homecoming`
- `3w before homecoming`, `2 weeks before the end of term`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Protocol
from zoneinfo import ZoneInfo

from lifecycle.calendar.choices import SchoolCalendar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
UNITS = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7}
KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}")
OFFSET = re.compile(r"([1-9]\d{0,2})\s*(d|w|days?|weeks?)\s+(before|after)\s+(.+)")
NTH = re.compile(r"(\w+)\s+(school day|\w+)\s+of\s+(\w+)")
ENDS = {"start of term": "first day of term", "end of term": "last day of term"}
FARTHEST = timedelta(days=3660)
SCHOOL_YEAR = timedelta(days=400)
ONE = timedelta(days=1)
SCHOOL_DAY = "school day"
Fits = Callable[[SchoolCalendar, date], bool]


class Days(Protocol):
    """Days that come again and again, or once."""

    def first(self, calendar: SchoolCalendar, start: date) -> date | None:
        """The first of them on `start` or after it, if there is one."""


@dataclass(frozen=True)
class Once:
    """One date."""

    day: date

    def first(self, calendar: SchoolCalendar, start: date) -> date | None:
        """The date, unless it is over."""
        return self.day if self.day >= start else None


@dataclass(frozen=True)
class Fitting:
    """Every day that fits, looked for one after the other."""

    fits: Fits
    within: timedelta = FARTHEST

    def first(self, calendar: SchoolCalendar, start: date) -> date | None:
        """The first that fits."""
        day, end = start, start + self.within
        while day <= end:
            if self.fits(calendar, day):
                return day
            day += ONE
        return None


@dataclass(frozen=True)
class Listed:
    """Days that the calendar lists."""

    listed: Callable[[SchoolCalendar], Iterator[date]]

    def first(self, calendar: SchoolCalendar, start: date) -> date | None:
        """The first that is still ahead."""
        return min((day for day in self.listed(calendar) if day >= start), default=None)


@dataclass(frozen=True)
class Shifted:
    """So long before or after other days."""

    base: Days
    by: timedelta

    def first(self, calendar: SchoolCalendar, start: date) -> date | None:
        """The other day, shifted."""
        found = self.base.first(calendar, start - self.by)
        return found + self.by if found is not None else None


def nth(number: int, fitting: Callable[[date], bool], start: date, end: date) -> date | None:
    """The n-th fitting day of a span, both ends included; -1 is the last."""
    days = [
        day
        for day in (start + timedelta(days=n) for n in range((end - start).days + 1))
        if fitting(day)
    ]
    index = number - 1 if number > 0 else number
    return days[index] if -len(days) <= index < len(days) else None


@lru_cache(maxsize=256)
def parse_days(text: str) -> Days:
    """The days that a text means; raises `ValueError` saying what can be written."""
    words = _plain(text)
    for reading in (_offset, _date, _weekday, _nth, _named):
        found = reading(words)
        if found is not None:
            return found
    raise ValueError(
        "write a day such as monday, 2027-03-01, second tuesday of term, homecoming "
        "or 3w before homecoming"
    )


def _plain(text: str) -> str:
    """The words without what only makes them sound better."""
    words = " ".join(word for word in text.lower().split() if word != "the")
    return ENDS.get(words, words)


def _offset(words: str) -> Days | None:
    match = OFFSET.fullmatch(words)
    if match is None:
        return None
    days = int(match[1]) * UNITS[match[2]]
    return Shifted(parse_days(match[4]), timedelta(days=-days if match[3] == "before" else days))


def _date(words: str) -> Days | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", words):
        return Once(date.fromisoformat(words))
    match = re.fullmatch(r"(\d{2})-(\d{2})", words)
    if match is None:
        return None
    month, day = int(match[1]), int(match[2])
    date(2000, month, day)  # a leap year, so that 02-29 may be written; raises what is no day
    return Fitting(lambda _, d: (d.month, d.day) == (month, day))


def _weekday(words: str) -> Days | None:
    fits = None if words == "day" else _fitting(words)
    if fits is None:
        return None
    return Fitting(fits, SCHOOL_YEAR if words == SCHOOL_DAY else FARTHEST)


def _number_of(word: str, names: tuple[str, ...]) -> int | None:
    """The place of a name, also cut to three letters."""
    return next((n for n, name in enumerate(names) if word in (name, name[:3])), None)


def _nth(words: str) -> Days | None:
    match = NTH.fullmatch(words)
    if match is None or match[1] not in ORDINALS:
        return None
    number, span = ORDINALS[match[1]], match[3]
    fits = _fitting(match[2])
    if fits is None:
        return None
    if span == "term":
        return Listed(lambda calendar: _in_terms(calendar, number, fits))
    month = None if span == "month" else _number_of(span, MONTHS)
    if month is None and span != "month":
        return None
    return Fitting(
        lambda calendar, day: (
            month in (None, day.month - 1)
            and day == nth(number, partial(fits, calendar), *_month_of(day))
        ),
        SCHOOL_YEAR if match[2] == SCHOOL_DAY else FARTHEST,
    )


def _fitting(word: str) -> Fits | None:
    """Which days a word means: `day`, `school day` or a weekday."""
    if word == "day":
        return lambda _, day: True
    if word == SCHOOL_DAY:
        return lambda calendar, day: calendar.is_school_day(day)
    weekday = _number_of(word, WEEKDAYS)
    return None if weekday is None else lambda _, day: day.weekday() == weekday


def _in_terms(calendar: SchoolCalendar, number: int, fits: Fits) -> Iterator[date]:
    for term in calendar.terms:
        found = nth(number, partial(fits, calendar), term.starts, term.ends)
        if found is not None:
            yield found


def _month_of(day: date) -> tuple[date, date]:
    start = day.replace(day=1)
    return start, (start + timedelta(days=31)).replace(day=1) - ONE


def _named(words: str) -> Days | None:
    if not KEY.fullmatch(words):
        return None
    return Listed(lambda calendar: (day.on for day in calendar.days if day.key == words))


def named_in(text: str) -> str | None:
    """The key of the named day that a text leans on, if it does."""
    words = _plain(text)
    match = OFFSET.fullmatch(words)
    words = match[4] if match else words
    plain = KEY.fullmatch(words) and _weekday(words) is None
    return words if plain else None


def moment_after(
    days: Days, calendar: SchoolCalendar, *, after: datetime, at: time, zone: ZoneInfo
) -> datetime | None:
    """The first moment after `after` that is `at` o'clock in a zone on one of the days.

    A time that the clock leaps over in spring is as much later; of one that comes twice in autumn
    it is the first. A single date that is over answers `after` itself.
    """
    start = after.astimezone(zone).date()
    day = days.first(calendar, start)
    if day is None:
        return after if _over(days, calendar, start) else None
    found = datetime.combine(day, at, tzinfo=zone).astimezone(after.tzinfo)
    if found > after:
        return found
    day = days.first(calendar, day + ONE)
    if day is None:
        return after if _over(days, calendar, start) else None
    return datetime.combine(day, at, tzinfo=zone).astimezone(after.tzinfo)


def _over(days: Days, calendar: SchoolCalendar, start: date) -> bool:
    """Whether they are a single date, which is no longer ahead."""
    while isinstance(days, Shifted):
        days = days.base
    return isinstance(days, Once)


def clock_time(text: str) -> time:
    """A time of day such as 09:30; raises `ValueError`."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise ValueError("write a time of day such as 09:00")
    return time(int(match[1]), int(match[2]))
