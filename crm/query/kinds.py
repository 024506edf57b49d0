"""Short ways to declare fields, one for each kind of value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from crm.query.conditions import between, during, on_days

Condition = ColumnElement[bool]
Ask = Callable[[FieldMatch, QueryContext], Condition]
Maker = Callable[..., QueryField]


def _of(kind: FieldKind) -> Maker:
    def make(
        key: str, label: Any, condition: Ask, says: Any = "", example: str = "", **more: Any
    ) -> QueryField:
        return QueryField(key, label, kind, condition, says=says, example=example, **more)

    return make


text, choice, number = _of(FieldKind.TEXT), _of(FieldKind.CHOICE), _of(FieldKind.NUMBER)
amount, date, anything = _of(FieldKind.AMOUNT), _of(FieldKind.DATE), _of(FieldKind.ANY)


def flag(key: str, label: Any, condition: Callable[[], Condition], says: Any = "") -> QueryField:
    """A fact that is so or is not."""
    return QueryField(
        key, label, FieldKind.FLAG, lambda match, context: condition(), example=key, says=says
    )


def is_key(column: Any) -> Ask:
    """The column is one of the field's choices."""
    return lambda match, context: column == match.low


def in_range(column: Any) -> Ask:
    """The column of numbers lies within the range."""
    return lambda match, context: between(column, match)


def in_time(column: Any) -> Ask:
    """The column of moments lies within the range."""
    return lambda match, context: during(column, match)


def on_day(column: Any) -> Ask:
    """The column of days lies within the range."""
    return lambda match, context: on_days(column, match)


def words_of(labels: Mapping[Any, Any]) -> Callable[[Session], Mapping[str, Any]]:
    """Choices out of the words that pages have for them."""
    return lambda session: {str(key): label for key, label in labels.items()}
