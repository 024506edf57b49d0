"""People as columns of numbers: what a pass over a million of them compares.

Every text is known by its code (its place in `texts`), so that a pair of names is compared once
however many people bear them. A code of -1 says that nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
NAMES = 3
"""So many given or family names of a person are compared: nickname and former name included."""
ADDRESSES = 3
NOTHING = -1


class Texts:
    """Texts by their code; the same text always gets the same one. The empty text is nothing."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self._codes: dict[str, int] = {"": NOTHING}

    def code(self, text: str) -> int:
        """The code of a text, a new one for a new text."""
        found = self._codes.get(text)
        if found is None:
            found = self._codes[text] = len(self.known)
            self.known.append(text)
        return found

    def codes(self, texts: Iterable[str], most: int) -> list[int]:
        """The codes of the first `most` texts, filled up with `NOTHING`."""
        found = [self.code(text) for text in texts if text][:most]
        return found + [NOTHING] * (most - len(found))


@dataclass
class People:
    """`count` people; row n of each column belongs to the person `ids[n]`, ids ascending.

    `birth` is YYYYMMDD with 0 for unknown, `class_year` 0 for unknown, `systems` a bit for each
    system that knows the person by an id.
    """

    texts: Texts
    ids: NDArray[np.int64]
    given: Codes
    family: Codes
    birth: Codes
    class_year: Codes
    postal: Codes
    city: Codes
    street: Codes
    emails: Codes
    locals: Codes
    phones: Codes
    schools: Codes
    systems: NDArray[np.uint64]

    @property
    def count(self) -> int:
        """How many people there are."""
        return len(self.ids)


@dataclass
class Gatherer:
    """Takes people one by one, then makes their columns."""

    texts: Texts = field(default_factory=Texts)
    ids: list[int] = field(default_factory=list)
    rows: list[tuple[int, ...]] = field(default_factory=list)

    def add(
        self,
        person_id: int,
        *,
        given: Sequence[str],
        family: Sequence[str],
        birth: int,
        class_year: int,
        postal: str,
        city: str,
    ) -> None:
        """One person; ids must come in ascending order, names folded word by word."""
        code = self.texts.code
        self.ids.append(person_id)
        self.rows.append(
            (
                *self.texts.codes(given, NAMES), *self.texts.codes(family, NAMES), birth,
                class_year, code(postal), code(city),
            )
        )  # fmt: skip

    def people(self) -> People:
        """The columns; addresses, schools and systems are still empty."""
        count = len(self.ids)
        table = np.array(self.rows, dtype=np.int32).reshape(count, 2 * NAMES + 4)
        self.rows = []
        rest = table[:, 2 * NAMES :].T
        empty = [np.full((count, ADDRESSES), NOTHING, dtype=np.int32) for _ in range(4)]
        return People(
            texts=self.texts, ids=np.array(self.ids, dtype=np.int64),
            given=table[:, :NAMES].copy(), family=table[:, NAMES : 2 * NAMES].copy(),
            birth=rest[0].copy(), class_year=rest[1].copy(), postal=rest[2].copy(),
            city=rest[3].copy(), street=np.full(count, NOTHING, dtype=np.int32),
            emails=empty[0], locals=empty[1], phones=empty[2], schools=empty[3],
            systems=np.zeros(count, dtype=np.uint64),
        )  # fmt: skip


def place(matrix: Codes, row: int, code: int) -> None:
    """Put a code into the first free place of a row; one too many is left out."""
    for n in range(matrix.shape[1]):
        if matrix[row, n] in (NOTHING, code):
            matrix[row, n] = code
            return
