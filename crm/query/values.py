"""Reads the values of a term as what its field wants: numbers, moments, known choices."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from crm.core.errors import Invalid
from crm.core.extend import FieldKind, FieldMatch, QueryField
from crm.query.errors import UnknownValue
from crm.query.nodes import One, Range

LARGEST = 2**31 - 1
AGE = re.compile(r"(\+?)([0-9]{1,4})([dwmyDWMY])")
AMOUNT = re.compile(r"-?\$?([0-9]{1,9}(?:\.[0-9]{1,4})?)")
DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


def plain(text: str) -> str:
    """A word as choices are compared: no case, no accents, blanks and signs alike."""
    letters = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in letters if not unicodedata.combining(c)).casefold()
    return " ".join(re.split(r"[\s_\-/]+", letters)).strip()


def read(
    field: QueryField, value: One | Range, at: Callable[[], datetime], choices: Mapping[str, Any]
) -> FieldMatch:
    """What `value` asks of `field`; raises `Invalid`, or `UnknownValue` with what is known.

    `choices` are the field's own; `at` tells the moment that ages such as `90d` count back from,
    and is asked only where one does.
    """
    if field.kind in (FieldKind.NUMBER, FieldKind.AMOUNT):
        return _numbers(value, _number if field.kind is FieldKind.NUMBER else _amount)
    if field.kind is FieldKind.DATE:
        return _moments(value, at(), ahead=field.ahead)
    if field.kind is FieldKind.CHOICE:
        return _choices(field, value, choices)
    if isinstance(value, Range) and field.kind is FieldKind.ANY:
        return _either(value, at)
    if isinstance(value, Range):
        raise Invalid("%(key)s: takes no range.", key=field.key)
    return FieldMatch(value.text, value.text, exact=value.quoted)


def _numbers(value: One | Range, number_of: Callable[[One], Any]) -> FieldMatch:
    if isinstance(value, One):
        number = number_of(value)
        return FieldMatch(number, number)
    low = number_of(value.low) if value.low else None
    high = number_of(value.high) if value.high else None
    if low is not None and high is not None and low > high:
        raise Invalid("The range is the wrong way round.")
    return FieldMatch(low, high)


def _number(value: One) -> int:
    digits = value.text.removeprefix("-")
    if not digits.isdecimal():
        raise Invalid("“%(text)s” is not a whole number.", text=value.text)
    if len(digits) > 10 or int(digits) > LARGEST:
        raise Invalid("That number is too large.")
    return int(value.text)


def _amount(value: One) -> Decimal:
    match = AMOUNT.fullmatch(value.text)
    if match is None:
        raise Invalid("“%(text)s” is not a number such as 12 or 12.50.", text=value.text)
    return -Decimal(match[1]) if value.text.startswith("-") else Decimal(match[1])


def _either(value: Range, at: Callable[[], datetime]) -> FieldMatch:
    """A range of numbers if its ends are some, else of dates; a year alone is a number."""
    ends = [end for end in (value.low, value.high) if end is not None]
    if all(AMOUNT.fullmatch(end.text) for end in ends):
        return _numbers(value, _amount)
    return _moments(value, at(), ahead=False)


def _choices(field: QueryField, value: One | Range, choices: Mapping[str, Any]) -> FieldMatch:
    if isinstance(value, One):
        key = _choice(field, value, choices)
        return FieldMatch(key, key)
    if not field.ordered:
        raise Invalid("The values of %(key)s: have no order; list them with commas.", key=field.key)
    low = _choice(field, value.low, choices) if value.low else None
    high = _choice(field, value.high, choices) if value.high else None
    order = list(choices)
    if low is not None and high is not None and order.index(low) > order.index(high):
        raise Invalid("The range is the wrong way round.")
    return FieldMatch(low, high)


def _choice(field: QueryField, value: One, choices: Mapping[str, Any]) -> str:
    wanted = plain(value.text)
    for key in choices:
        if plain(key) == wanted:
            return key
    for key, label in choices.items():
        if plain(str(label)) == wanted:
            return key
    raise UnknownValue(
        "%(key)s: knows no “%(text)s”.",
        [*choices, *map(str, choices.values())],
        key=field.key,
        text=value.text,
    )


def _moments(value: One | Range, at: datetime, *, ahead: bool) -> FieldMatch:
    """Days, months and years of the calendar, or ages: `30d..90d` is from 90 to 30 days ago.

    `+30d` is so far ahead. What lies ahead is no age: `30d` of a field whose values may (`ahead`)
    ends at the moment itself.
    """
    if isinstance(value, One):
        age = age_of(value, at)
        if age is None:
            return FieldMatch(*_day(value))
        if value.text.startswith("+"):
            return FieldMatch(at, age)
        return FieldMatch(age, at if ahead else None)
    ends = [end for end in (value.low, value.high) if end is not None]
    ages = all(age_of(end, at) for end in ends)
    if ages and not any(end.text.startswith("+") for end in ends):
        low = age_of(value.high, at) if value.high else None
        high = age_of(value.low, at) if value.low else (at if ahead else None)
    else:
        low = (age_of(value.low, at) or _day(value.low)[0]) if value.low else None
        high = (age_of(value.high, at) or _day(value.high)[1]) if value.high else None
    if low is not None and high is not None and low >= high:
        raise Invalid("The range is the wrong way round.")
    return FieldMatch(low, high)


def age_of(value: One, at: datetime) -> datetime | None:
    """The moment so long ago, or with a plus ahead; None if the value is no age such as 90d."""
    match = AGE.fullmatch(value.text)
    if match is None:
        return None
    amount, unit = int(match[2]) * (-1 if match[1] else 1), match[3].lower()
    try:
        if unit in "dw":
            return at - timedelta(days=amount * (7 if unit == "w" else 1))
        months = at.year * 12 + at.month - 1 - amount * (12 if unit == "y" else 1)
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return at.replace(year=year, month=month + 1, day=min(at.day, last))
    except (ValueError, OverflowError) as error:
        message = "“%(text)s” is too far ahead." if match[1] else "“%(text)s” is too long ago."
        raise Invalid(message, text=value.text) from error


def _day(value: One) -> tuple[datetime, datetime]:
    """The first moment of a day, month or year, and that of the next one."""
    match = DAY.fullmatch(value.text)
    wrong = Invalid(
        "“%(text)s” is neither a date such as 2026-05-31 nor an age such as 90d.", text=value.text
    )
    if match is None:
        raise wrong
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        if day:
            after = first + timedelta(days=1)
        elif month:
            after = (first + timedelta(days=31)).replace(day=1)
        else:
            after = date(first.year + 1, 1, 1)
    except (ValueError, OverflowError) as error:
        raise wrong from error
    return _midnight(first), _midnight(after)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
