"""What is wrong with a query, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rapidfuzz import fuzz, process, utils

from crm.core.errors import Invalid, in_words

ALIKE = 60
MEANT = "Did you mean %(suggestion)s?"


class QueryError(Invalid):
    """A query that cannot be read: `position` and `length` (characters) mark the word at fault.

    `wrong` says what is wrong, `suggestion` the nearest thing that would be right ("" if none).
    """

    def __init__(
        self, message: str, *, position: int, length: int, suggestion: str = "", **values: Any
    ) -> None:
        super().__init__(message, field="q", **values)
        self.position = position
        self.length = length
        self.suggestion = suggestion

    @property
    def wrong(self) -> str:
        """What is wrong, without the suggestion."""
        return super().__str__()

    def __str__(self) -> str:
        if not self.suggestion:
            return self.wrong
        meant = in_words(MEANT, suggestion=self.suggestion)
        return f"{self.wrong} {meant}"


class UnknownValue(Invalid):
    """A value that a field does not know; `choices` are those that it does.

    `name` is the word at fault where that is not the value but what follows the field's dot.
    """

    def __init__(
        self, message: str, choices: Iterable[str], *, name: str = "", **values: Any
    ) -> None:
        super().__init__(message, **values)
        self.choices = tuple(choices)
        self.name = name


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice most like the word, or "" if none is like it."""
    found = process.extractOne(
        word, list(choices), scorer=fuzz.ratio, processor=utils.default_process,
        score_cutoff=ALIKE,
    )  # fmt: skip
    return str(found[0]) if found else ""
