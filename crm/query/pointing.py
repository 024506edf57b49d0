"""Refusals of fields as errors that point at the word of a query and suggest the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm.core.errors import Invalid
from crm.query.errors import QueryError, UnknownValue, nearest
from crm.query.nodes import One, Place, Range, Term
from crm.query.values import plain


def pointed(error: Invalid, value: One | Range, term: Term) -> QueryError:
    """The error, pointing at the value (or the name after the dot), with the nearest choice."""
    if not isinstance(error, UnknownValue):
        return fault(str(error), value.place)
    wrong, place = (
        value.text if isinstance(value, One) else _unknown(value, error.choices),
        value.place,
    )
    if error.name:
        start = term.place.position + len(term.field) - len(error.name)
        wrong, place = error.name, Place(start, len(error.name))
    close = nearest(wrong, error.choices)
    return fault(str(error), place, f'"{close}"' if " " in close else close)


def _unknown(value: Range, choices: Sequence[str]) -> str:
    """The end of a range that is none of the choices."""
    ends = [end.text for end in (value.low, value.high) if end is not None]
    known = {plain(choice) for choice in choices}
    return next((text for text in ends if plain(text) not in known), ends[0])


def colon(name: str) -> str:
    """A field as it is written, or nothing."""
    return f"{name}:" if name else ""


def fault(message: str, place: Place, suggestion: str = "", **values: Any) -> QueryError:
    """The error of the word at that place."""
    return QueryError(
        message, position=place.position, length=place.length, suggestion=suggestion, **values
    )
