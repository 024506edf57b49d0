"""How long mentoring lasts, when the mentor is asked how it goes: choices and a pure rule."""

from __future__ import annotations

from datetime import date, timedelta
from typing import ClassVar

from pydantic import Field

from crm.core.district import Choices

MOST_WEEKS = 104


class MentoringRules(Choices):
    """A district's choices: which ways are mentoring, how many pupils a mentor takes and how long.

    Check-ins fall `first` and `second` days after the start, then on the same day of each month.
    One that nobody answers within `answer_days` is missed.
    """

    key: ClassVar[str] = "mentoring"
    ways: tuple[str, ...] = ("mentor",)
    most: int = Field(default=1, ge=1, le=20)
    weeks: int = Field(default=12, ge=1, le=MOST_WEEKS)
    first: int = Field(default=10, ge=1, le=15)
    second: int = Field(default=24, ge=16, le=31)
    answer_days: int = Field(default=7, ge=1, le=31)


def month_after(day: date, months: int) -> date:
    """The same day so many months on, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return first + timedelta(days=min(day.day, (following - first).days) - 1)


def checkin_days(starts_on: date, ends_on: date, rules: MentoringRules) -> list[date]:
    """The days on which the mentor is asked: twice in the first month, then monthly, to the end."""
    days = [starts_on + timedelta(days=rules.first), starts_on + timedelta(days=rules.second)]
    months = 2
    while (day := month_after(starts_on, months)) < ends_on:
        days.append(day)
        months += 1
    return [day for day in days if day < ends_on]
