"""The cells of one batch, column by column: cleaned, parsed, with what was wrong noted by line."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from crm.imports.mapping import Plan
from crm.imports.reader import Batch
from crm.imports.values import MAX_TEXT, Cache, clean

V = TypeVar("V")
_IDENTITY_NUMBER = re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")


class Fault(str):
    """What is wrong with a cell, in words that follow its value."""

    __slots__ = ()


def faulting(parse: Callable[[str], V]) -> Cache[V | Fault | None]:
    """A remembered parser that answers a `Fault` where `parse` raises, None for a blank cell."""

    def safe(text: str) -> V | Fault | None:
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            return Fault(str(error))

    return Cache(safe)


class Cells:
    """One batch seen by columns; `notes` and `fates` gather what is said of single rows."""

    def __init__(self, plan: Plan, titles: Sequence[str], batch: Batch) -> None:
        self.plan = plan
        self.titles = titles
        self.count = len(batch.rows)
        self.columns: list[Sequence[str]] = list(zip(*batch.rows, strict=True))
        self.notes: defaultdict[int, list[str]] = defaultdict(list)
        self.fates: dict[int, tuple[str, str]] = {}
        self.no_news = {t: re.compile(p, re.I) for t, p in plan.layout.no_news.items()}

    def blank(self) -> list[Any]:
        """A column of nothing."""
        return [None] * self.count

    def texts(self, target: str) -> list[str] | None:
        """The cleaned texts of a target, the first filled column counting; None if it has none."""
        indices = self.plan.of(target)
        if not indices or not self.count:
            return None
        columns = [self.text(index) for index in indices]
        if nothing := self.no_news.get(target):
            columns = [["" if nothing.fullmatch(t) else t for t in texts] for texts in columns]
        first, *others = columns
        for other in others:
            first = [a or b for a, b in zip(first, other, strict=True)]
        return first

    def text(self, index: int) -> list[str]:
        """The cleaned texts of one column; a row with a text that is too long is rejected."""
        column = self.columns[index]
        joined = "".join(column)
        # Most columns need no more than their ends stripped; looking once tells.
        if joined.isascii() and joined.isprintable() and "  " not in joined:
            texts = [cell.strip() for cell in column]
        else:
            # Names repeat themselves.
            cleaned = {cell: clean(cell) for cell in set(column)}
            texts = [cleaned[cell] for cell in column]
        if "-" in joined and _IDENTITY_NUMBER.search(joined):
            self._hide_identity_numbers(index, texts)
        if len(joined) > MAX_TEXT and max(map(len, texts)) > MAX_TEXT:
            for row, cell in enumerate(texts):
                if len(cell) > MAX_TEXT:
                    self.fates.setdefault(row, ("reject", self._long(index, cell)))
                    texts[row] = ""
        return texts

    def _hide_identity_numbers(self, index: int, texts: list[str]) -> None:
        """Whatever the column is called: what is written like a social security number goes."""
        for row, cell in enumerate(texts):
            if _IDENTITY_NUMBER.search(cell):
                texts[row] = ""
                title = self.titles[index] or f"column {index + 1}"
                self.note(row, f"{title} holds what looks like a social security number; left out")

    def parsed(self, target: str, cache: Cache[Any]) -> list[Any]:
        """The values of a target; a cell that cannot be read is noted and left out."""
        texts = self.texts(target)
        if texts is None:
            return self.blank()
        values = list(map(cache.__getitem__, texts))
        return self.without_faults(values, texts, target)

    def without_faults(self, values: list[Any], texts: list[str], target: str) -> list[Any]:
        """The values with each fault noted and taken out."""
        for row, value in enumerate(values):
            if value.__class__ is Fault:
                self.note(row, f"{self.title(target)} “{_short(texts[row])}” {value}; left out")
                values[row] = None
        return values

    def note(self, row: int, text: str) -> None:
        """Say something of a row that does not stop it."""
        if len(self.notes[row]) < 5:
            self.notes[row].append(text)

    def title(self, target: str) -> str:
        """How the file names the column of a target."""
        indices = self.plan.of(target)
        return self.titles[indices[0]] if indices else target

    def _long(self, index: int, cell: str) -> str:
        title = self.titles[index] or f"column {index + 1}"
        return f"“{title}” holds {len(cell):,} characters; at most {MAX_TEXT} are read"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
