"""Breaks that people name without a calendar: for a month, until September, until the new year."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum

from flask_babel import format_date, gettext
from flask_babel import lazy_gettext as _
from wtforms.fields.choices import SelectChoice

DAY = timedelta(days=1)


class Break(StrEnum):
    """How long somebody wants to hear nothing."""

    NONE = "none"
    MONTH = "month"
    SEPTEMBER = "september"
    NEW_YEAR = "new_year"
    DAY = "day"


WORDS = {
    Break.NONE: _("No break"),
    Break.MONTH: _("For a month"),
    Break.SEPTEMBER: _("Until September"),
    Break.NEW_YEAR: _("Until the new year"),
    Break.DAY: _("Up to a chosen day"),
}


KEEP = "keep"
"""The choice to leave a break as it stands."""


def choices() -> list[SelectChoice]:
    """The breaks as choices of a form."""
    return [SelectChoice(each.value, words) for each, words in WORDS.items()]


def topic_choices(held: date | None) -> list[tuple[str, str]]:
    """The breaks from one topic as values and words, the one that stands first."""
    named = [
        (each.value, str(WORDS[each])) for each in (Break.MONTH, Break.SEPTEMBER, Break.NEW_YEAR)
    ]
    if held is None:
        return [(KEEP, str(WORDS[Break.NONE])), *named]
    until = gettext("Until %(day)s, as now", day=format_date(held))  # type: ignore[no-untyped-call]
    return [(KEEP, until), *named, (Break.NONE.value, str(WORDS[Break.NONE]))]


def last_day(named: str | None, day: date | None, *, held: date | None, today: date) -> date | None:
    """The last day of a break that was chosen by its name or by a day; None for no break.

    A day typed anew counts though “no break” still stands beside it: whoever types one means it.
    """
    if named == Break.MONTH:
        return _month_on(today) - DAY
    if named == Break.SEPTEMBER:
        return date(today.year + (today >= date(today.year, 9, 1)), 8, 31)
    if named == Break.NEW_YEAR:
        return date(today.year, 12, 31)
    if named == Break.NONE and day == held:
        return None
    return day


def _month_on(day: date) -> date:
    """The same day of the next month, or its last one."""
    year, month = day.year + day.month // 12, day.month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
