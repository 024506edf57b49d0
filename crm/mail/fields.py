"""The tiny grammar of merge fields: `{{ name }}` or `{{ name | what to say without it }}`.

There is nothing else, by construction: no attributes, calls, loops or filters, so that content can
reach no more than the texts it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

INSIDE = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(?:\|([^{}|]*))?\Z")
MARK = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")
LONGEST = 200


class FieldError(ValueError):
    """A merge field that cannot be read; `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Slot:
    """A merge field in a text: whose value goes there, and what to say when it is empty."""

    name: str
    default: str = ""
    line: int = 1
    column: int = 1


def parse(text: str) -> list[str | Slot]:
    """A text as its literal pieces and slots, in order; raises `FieldError` at the first fault."""
    return list(_pieces(text))


def slots(text: str) -> list[Slot]:
    """The slots of a text in order; raises `FieldError`."""
    return [piece for piece in parse(text) if isinstance(piece, Slot)]


def _pieces(text: str) -> Iterator[str | Slot]:
    start = 0
    while found := MARK.search(text, start):
        line, column = _place(text, found.start())
        if found[0] != "{{":
            raise FieldError(
                f"“{found[0]}” has no meaning here; a merge field looks like {{{{ first_name }}}}",
                line, column,
            )  # fmt: skip
        end = text.find("}}", found.end())
        inside = text[found.end() : end]
        if end < 0 or "\n" in inside or "{" in inside or len(inside) > LONGEST:
            raise FieldError("this “{{” is not closed by “}}” on its line", line, column)
        match = INSIDE.match(inside)
        if match is None:
            raise FieldError(
                f"“{inside.strip()}” is no merge field; write a name in small letters, and if you "
                "like what to say without it: {{ employer | your work }}",
                line, column,
            )  # fmt: skip
        if found.start() > start:
            yield text[start : found.start()]
        yield Slot(match[1], _unquoted(match[2] or ""), line, column)
        start = end + 2
    if start < len(text):
        yield text[start:]


def _unquoted(default: str) -> str:
    default = default.strip()
    if len(default) >= 2 and default[0] == default[-1] and default[0] in "\"'":
        return default[1:-1]
    return default


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
