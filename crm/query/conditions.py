"""Ranges of a query as conditions on columns of numbers, moments and days."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from sqlalchemy import ColumnElement, and_

from crm.core.extend import FieldKind, FieldMatch

Condition = ColumnElement[bool]


def between(column: Any, match: FieldMatch) -> Condition:
    """The column within the closed range of a number."""
    if match.low is not None and match.low == match.high:
        return column == match.low  # type: ignore[no-any-return]
    low = [column >= match.low] if match.low is not None else []
    high = [column <= match.high] if match.high is not None else []
    return and_(*low, *high)


def during(column: Any, match: FieldMatch) -> Condition:
    """The column within the half-open range of moments."""
    low = [column >= match.low] if match.low is not None else []
    high = [column < match.high] if match.high is not None else []
    return and_(column.is_not(None), *low, *high)


def on_days(column: Any, match: FieldMatch) -> Condition:
    """The column of days within the range of moments, the day of either end included."""
    low = [column >= match.low.date()] if match.low is not None else []
    high = [_until(column, match.high)] if match.high is not None else []
    return and_(column.is_not(None), *low, *high)


def _until(column: Any, end: datetime) -> Condition:
    """The end of a calendar's range is the midnight after its last day, that of an age a day."""
    return column < end.date() if end.time() == time() else column <= end.date()  # type: ignore[no-any-return]


def within(kind: FieldKind, column: Any, match: FieldMatch) -> Condition:
    """The column within the range, as its kind has it."""
    return during(column, match) if kind is FieldKind.DATE else between(column, match)
