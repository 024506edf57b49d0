"""Keyset pages: a list at a million rows costs what its first page costs, never an OFFSET."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")
PAGE = 50


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a longer list; `after` (for the address) leads to the next ones, or is None."""

    items: Sequence[T]
    after: str | None


def encode(values: Sequence[Any]) -> str:
    """A place in a list as text that is safe in an address."""
    plain = [v.isoformat() if isinstance(v, datetime) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(text: str | None, length: int) -> list[Any] | None:
    """The place again, or None for text that is not one: a mangled address shows the first page."""
    if not text:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return None
    fine = isinstance(values, list) and len(values) == length
    fine = fine and all(isinstance(v, (str, int, float)) and "\x00" not in str(v) for v in values)
    return values if fine else None


def keyset(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    *,
    after: str | None,
    descending: bool = False,
    size: int = PAGE,
) -> Page[Any]:
    """One page of `statement` ordered by `keys`, whose last must be unique.

    The rows come with their key values appended as extra columns named `key_0`, `key_1`, …
    """
    window = page_window(statement, keys, after=after, descending=descending, size=size)
    return page_of(session.execute(window).all(), len(keys), size)


def page_window(
    statement: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    *,
    after: str | None,
    descending: bool = False,
    size: int = PAGE,
) -> Select[*tuple[Any, ...]]:
    """The statement of a page, one row longer than the page, for whoever joins to it."""
    place = place_of(after, keys)
    bounds = [literal(value) for value in place] if place else ()
    return window_after(statement, keys, bounds, descending=descending, size=size)


def place_of(
    after: str | None, keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]]
) -> list[Any] | None:
    """The values of the keys at a place, each of its key's type, or None for the first page."""
    place = decode(after, len(keys))
    values = [_typed(value, key) for value, key in zip(place or (), keys, strict=bool(place))]
    return values if values and None not in values else None


def window_after(
    statement: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    bounds: Sequence[ColumnElement[Any]],
    *,
    descending: bool = False,
    size: int = PAGE,
) -> Select[*tuple[Any, ...]]:
    """`page_window` after the place that `bounds` say, or from the beginning if they are none."""
    if bounds:
        left, right = tuple_(*keys), tuple_(*bounds)
        statement = statement.where(left < right if descending else left > right)
    order = [key.desc() if descending else key.asc() for key in keys]
    labelled = [key.label(f"key_{n}") for n, key in enumerate(keys)]
    return statement.add_columns(*labelled).order_by(*order).limit(size + 1)


def page_of(rows: Sequence[Any], keys: int, size: int) -> Page[Any]:
    """The page out of the rows of its window, which have `key_0`, `key_1`, … and are in order."""
    shown = rows[:size]
    if len(rows) <= size:
        return Page(shown, None)
    return Page(shown, encode([getattr(shown[-1], f"key_{n}") for n in range(keys)]))


def _typed(value: Any, key: Any) -> Any:
    """The bound as the key's own Python type, or None where it cannot be."""
    # A type of our own answers `object` for itself; what it is made of knows better.
    inner = key.type.impl_instance if isinstance(key.type, TypeDecorator) else key.type
    kind = inner.python_type
    try:
        if kind is datetime:
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else None
        if kind is int:
            number = int(value)
            return number if abs(number) < 2**63 else None
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
