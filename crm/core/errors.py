"""The errors that services raise; each edge (page, command, job) turns them into its own answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import has_app_context
from flask_babel import gettext


def in_words(message: str, **values: Any) -> str:
    """A sentence of ours in the reader's language, with its values put in."""
    if message and has_app_context():
        return str(gettext(message, **values))
    return message % values if values else message


class HomecomingError(Exception):
    """Something we refuse to do, said so that the reader knows what to do next.

    `message` is English with `%(name)s` for each of `values`, and stands in the catalogue; `str()`
    says it in the reader's language. What is in words already (`_(…)`) stays as it is.
    """

    def __init__(self, message: str = "", **values: Any) -> None:
        super().__init__(message)
        self.message, self.values = str(message), values

    def __str__(self) -> str:
        return in_words(self.message, **self.values)


class Invalid(HomecomingError):
    """Input that breaks a rule; `field` names the form field, column or setting at fault."""

    def __init__(self, message: str, *, field: str | None = None, **values: Any) -> None:
        super().__init__(message, **values)
        self.field = field


@dataclass(frozen=True)
class Fault:
    """What is wrong at a place of a file (`roster.csv:12`), said in the reader's language.

    `message` is as that of a refusal: English with `%(name)s` for each of `values`.
    """

    place: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.place}: {in_words(self.message, **self.values)}"


def fault_at(place: str, message: str, **values: Any) -> Fault:
    """A fault; what it says stands in the catalogue."""
    return Fault(place, message, values)


class Refused(HomecomingError):
    """Input with one or more faults, each naming its place (file, line, column, field)."""

    def __init__(self, faults: Sequence[str | Fault]) -> None:
        super().__init__("")
        self.faults = tuple(faults)

    @property
    def problems(self) -> tuple[str, ...]:
        """The faults in the reader's language."""
        return tuple(map(str, self.faults))

    def __str__(self) -> str:
        return "\n".join(self.problems)


class NotFound(HomecomingError):
    """There is no such thing, or the viewer may not know that there is."""


class NotAllowed(HomecomingError):
    """The viewer may know of it but not do this to it."""


class Conflict(HomecomingError):
    """Somebody else changed it first, or its state no longer permits this."""
