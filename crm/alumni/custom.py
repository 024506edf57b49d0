"""Custom fields in queries: words, whole values, numbers and days, as what is asked reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, collate, func
from sqlalchemy.orm import Session

from crm.alumni.folding import has_words, lettered
from crm.alumni.models import Alumnus
from crm.core.extend import FieldMatch, QueryContext, extensions
from crm.query.conditions import between

Condition = ColumnElement[bool]
NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"


def custom(match: FieldMatch, context: QueryContext) -> Condition:
    """`custom.club:chess` has the words, `custom.club:"Chess Club"` is the value; ranges of numbers
    and of days (as files have them: 2026-05-31) find values that are such.
    """
    value = Alumnus.custom[match.name].astext
    if isinstance(match.low or match.high, Decimal):
        # The cast is only reached by what passes the pattern.
        number = case((value.regexp_match(NUMBER), between(cast(value, Numeric), match)))
        return func.coalesce(number, False)
    if isinstance(match.low or match.high, datetime):
        return func.coalesce(case((value.regexp_match(DAY), _days(value, match))), False)
    if match.exact:
        return Alumnus.custom.contains({match.name: match.low})
    return has_words(value, lettered(match.low))


def _days(value: Any, match: FieldMatch) -> Condition:
    """Days in this form are in order as letters are, so that none has to be a real one."""
    day = collate(func.left(value, 10), "C")
    low = [day >= match.low.date().isoformat()] if match.low else []
    return and_(*low, *([day <= _last(match.high)] if match.high else []))


def _last(end: datetime) -> str:
    """The last day before the end of a range."""
    whole = end.time() == time()
    return (end.date() - timedelta(days=1 if whole else 0)).isoformat()


def has_custom(match: FieldMatch, context: QueryContext) -> Condition:
    """`has:custom.club`: the field is there and not empty."""
    return func.coalesce(Alumnus.custom[match.name].astext, "") != ""


def custom_names(session: Session) -> Mapping[str, Any]:
    """The custom fields that files brought."""
    return {k: v for load in extensions().custom_fields for k, v in load(session).items()}
