"""What is wrong with a query, and where."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import fuzz, process, utils

from crm.core.errors import Invalid

ALIKE = 60


class QueryError(Invalid):
    """A query that cannot be read: `position` and `length` (characters) mark the word at fault.

    `message` says what is wrong, `suggestion` the nearest thing that would be right ("" if none).
    """

    def __init__(self, message: str, *, position: int, length: int, suggestion: str = "") -> None:
        whole = f"{message} Did you mean {suggestion}?" if suggestion else message
        super().__init__(whole, field="q")
        self.message = message
        self.position = position
        self.length = length
        self.suggestion = suggestion


class UnknownValue(Invalid):
    """A value that a field does not know; `choices` are those that it does.

    `name` is the word at fault where that is not the value but what follows the field's dot.
    """

    def __init__(self, message: str, choices: Iterable[str], *, name: str = "") -> None:
        super().__init__(message)
        self.choices = tuple(choices)
        self.name = name


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice most like the word, or "" if none is like it."""
    found = process.extractOne(
        word, list(choices), scorer=fuzz.ratio, processor=utils.default_process,
        score_cutoff=ALIKE,
    )  # fmt: skip
    return str(found[0]) if found else ""
