"""What a layout is: a declaration of which columns a kind of file has and what they mean.

The next layout is a file in `crm/imports/layouts/`, never a branch in the code that reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIXES = re.compile(
    r"^(\[\w+\]|(students?|person|graduation|enrollment|demographics?|individual)\.)+",
    re.IGNORECASE,
)
_REPEATED = re.compile(r" \(\d+\)$")
_SIGNS = re.compile(r"[\W_]+", re.UNICODE)

# Never read, whatever a mapping says: identity numbers, demographics, services, secrets.
NOT_READ = re.compile(
    r"(student|person)?(ssn|ss|socsec|socialsecurity)(number|no|num)?|last4.*ssn|(student|legal)?gender(code)?"
    r"|sex|(student|federal|fed|primary|state)?race(s|code|ethnicity|description|\d+)?|.*ethnic.*|.*hispanic.*"
    r"|.*latino.*|(free|reduced)?lunch.*|frl.*|.*mealstatus|iep.*|.*special_?ed.*|sped.*|.*disab.*|ell(status)?"
    r"|lep(status)?|.*homeless.*|migrant.*|religion.*|.*citizenship.*|immigra.*|medical.*|.*password.*"
    r"|.*economic.*disadv.*|fostercare.*"
)


def header_key(title: str) -> str:
    """A column name without case, blanks, signs and prefixes: `student.Last_Name` → `lastname`."""
    plain = PREFIXES.sub("", _REPEATED.sub("", unicodedata.normalize("NFKC", title).strip()))
    return _SIGNS.sub("", plain.casefold())


@dataclass(frozen=True)
class Frame:
    """A file without column names: a first line, lines of people, and a last one that counts all.

    Each kind of line begins with its tag; `columns` name the cells of a person's line.
    """

    opens: str
    line: str
    closes: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A kind of file.

    `columns`: target → the column names that mean it. `signature`: column names that only this kind
    has; the layout with most of them is taken. `values`: target → the file's word → ours (for
    `status`: enrolled, graduated, left or skip; for `role`: skip; for a flag: yes or no, with `*`
    for any other word). `trimmed`: target → signs to take off the ends of its texts. `frame`: how
    the file goes without column names. `roster`: written by a student system, so that the
    household's phone and address are the parents', and what people told us themselves outranks it.
    `fake_schools`: school numbers that are no schools. `left_out`: columns known and not taken.
    """

    key: str
    label: str
    columns: Mapping[str, tuple[str, ...]]
    signature: tuple[str, ...] = ()
    needed: int = 2
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    roster: bool = False
    fake_schools: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    trimmed: Mapping[str, str] = field(default_factory=dict)
    frame: Frame | None = None

    def target_of(self, title: str) -> str | None:
        """The target that a column name means, or None."""
        return self._aliases().get(header_key(title))

    def knows(self, title: str) -> bool:
        """Whether the layout names the column as one to leave out."""
        return header_key(title) in {header_key(name) for name in self.left_out}

    def score(self, titles: tuple[str, ...]) -> int:
        """How many of the layout's own columns a file has."""
        own = {header_key(name) for name in self.signature}
        return len(own & {header_key(title) for title in titles})

    def _aliases(self) -> Mapping[str, str]:
        return {
            header_key(name): target for target, names in self.columns.items() for name in names
        }


def never_read(title: str) -> bool:
    """Whether a column holds what must not enter the district's alumni records at all."""
    return NOT_READ.fullmatch(header_key(title)) is not None
