"""Lines that name two people: “Ann & Bob Smith”, with whose address nobody can say.

Such a line makes nobody: neither a person with two names nor two with one mailbox. It is left to a
human, who gives each a line of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crm.imports.people.cells import Cells

_TWO = re.compile(
    r"[^\W\d_].*(\s(&|and|\+)\s|\s?[&+]\s?|\s/\s|(?<=\w)/(?=\w)).*[^\W\d_]", re.IGNORECASE
)
_MARKS = re.compile(r"[&+/]|\band\b", re.IGNORECASE)
NAMES = ("given_name", "name.full", "family_name")


def leave_couples(cells: Cells, found: Mapping[str, Sequence[Any]]) -> None:
    """Make a conflict of every line whose name is that of two people."""
    for target in NAMES:
        texts = cells.texts(target)
        if not texts or not _MARKS.search(" ".join(texts)):
            continue
        for row, name in enumerate(texts):
            if name and _TWO.fullmatch(name):
                reason = f"“{name[:60]}” names two people; give each of them a line of their own"
                cells.fates.setdefault(row, ("conflict", reason))
