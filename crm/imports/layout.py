"""What a layout is: a declaration of which columns a kind of file has and what they mean.

The next layout is a file in `crm/imports/layouts/`, never a branch in the code that reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

PREFIXES = re.compile(
    r"^(\[\w+\]|(students?|person|graduation|enrollment|demographics?|individual)\."
    r"|(npsp|npe01|npo02|hed)__)+",
    re.IGNORECASE,
)
_OWN_FIELD = re.compile(r"__c$", re.IGNORECASE)
_REPEATED = re.compile(r" \(\d+\)$")
_SIGNS = re.compile(r"[\W_]+", re.UNICODE)

# Never read, whatever a mapping says: identity numbers, demographics, services, secrets.
NOT_READ = re.compile(
    r"(student|person)?(ssn|ss|socsec|socialsecurity)(number|no|num|nbr)?|(last4|lastfour).*ssn"
    r"|ssnlast(4|four)|social|tax(payer)?id(number)?|(student|legal)?gender(code)?"
    r"|sex|(student|federal|fed|primary|state)?race(s|code|ethnicity|description|\d+)?|.*ethnic.*|.*hispanic.*"
    r"|.*latino.*|(free|reduced)?lunch.*|frl.*|.*mealstatus|iep.*|.*special_?ed.*|sped.*|.*disab.*|ell(status)?"
    r"|lep(status)?|.*homeless.*|migrant.*|religion.*|.*citizenship.*|immigra.*|medical.*|.*password.*"
    r"|.*economic.*disadv.*|fostercare.*"
)
_NOT_READ_CUT = (
    "socialsecuritynumber", "ethnicity", "hispaniclatino", "federalrace", "raceethnicity",
    "studentgender", "economicallydisadvantaged", "economicdisadvantage", "disability",
    "citizenship", "homelessstatus", "religion", "password", "freereducedlunch", "reducedlunch",
    "specialeducation", "immigrantstatus", "fostercare",
)  # fmt: skip
# What a no to mail, a block or a death may be called: never left out without saying so.
REFUSAL = re.compile(
    r".*(optout|optedout|optin|optedin|unsub|donot|dnc|dnd|nocontact|noemail|nomail|nosolicit|bounce"
    r"|solicitcode|suppress|onhold|blocklist|blacklist|consent|ferpa|privacy|directory|deceas|death"
    r"|died|passedaway).*"
)
SHORTEST_CUT = 6
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def header_key(title: str) -> str:
    """A column name without case, blanks, signs and prefixes: `student.Last_Name` → `lastname`."""
    return _SIGNS.sub("", bare_title(title).casefold())


def bare_title(title: str) -> str:
    """A column name without what systems put around it: prefixes, `__c`, the number of a twin."""
    plain = _REPEATED.sub("", unicodedata.normalize("NFKC", title).strip())
    return _OWN_FIELD.sub("", PREFIXES.sub("", plain))


def cut_length(titles: Sequence[str]) -> int | None:
    """The length at which a file cuts its column names, where three or more end there; or None."""
    lengths = [len(_REPEATED.sub("", title.strip())) for title in titles]
    longest = max(lengths, default=0)
    return longest if longest >= SHORTEST_CUT and lengths.count(longest) >= 3 else None


@lru_cache(maxsize=8192)
def _words(name: str) -> tuple[str, ...]:
    """The words of a name as written: `ENROLL_BEGIN` and `enrollBegin` have two."""
    return tuple(word.casefold() for word in _WORDS.findall(name))


def is_cut(title: str, name: str, *, limit: int | None = None) -> bool:
    """Whether a title is a name cut off, as a whole (`Student_Nu`) or word by word (`GRAD_DATE`).

    One that ends where a word of the name ends is another name (`Graduated` of `Graduated On`)
    unless the file cuts its names at that length (`limit`, of `cut_length`).
    """
    bare = bare_title(title)
    open_end = bare[-1:] in {"_", "-", "/", "."}
    key, whole, words, of = header_key(title), header_key(name), _words(bare), _words(name)
    if SHORTEST_CUT <= len(key) < len(whole) and whole.startswith(key):
        ends = {len("".join(of[:n])) for n in range(len(of))}
        if open_end or len(key) not in ends or len(_REPEATED.sub("", title.strip())) == limit:
            return True
    return 1 < len(words) == len(of) and all(
        full.startswith(word) and len(word) >= min(3, len(full))
        for word, full in zip(words, of, strict=True)
    )


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
    for any other word). `no_news`: target → a pattern of texts that say nothing of the person.
    `trimmed`: target → signs to take off the ends of its texts. `frame`: how
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
    no_news: Mapping[str, str] = field(default_factory=dict)
    frame: Frame | None = None

    def target_of(self, title: str) -> str | None:
        """The target that a column name means to the letter, or None."""
        return self._aliases.get(header_key(title))

    def knows(self, title: str) -> bool:
        """Whether the layout names the column, to the letter, as one to leave out."""
        return header_key(title) in self._left_out

    def read(self, title: str, *, limit: int | None = None) -> tuple[str | None, bool]:
        """(target or None, whether the layout knows the column), forgiving cuts.

        A cut that may mean two things means neither.
        """
        if target := self.target_of(title):
            return target, True
        if self.knows(title):
            return None, True
        found = {target for target, name in self._names if is_cut(title, name, limit=limit)}
        if found and len(key := header_key(title)) >= SHORTEST_CUT:
            found |= {t for t, name in self._names if header_key(name).startswith(key)}
        return (found.pop(), True) if len(found) == 1 else (None, False)

    def score(self, titles: Sequence[str], *, cut: bool = False) -> int:
        """How many of the layout's own columns a file has, to the letter or also cut."""
        own = {header_key(name) for name in self.signature}
        if not cut:
            return len(own & {header_key(title) for title in titles})
        limit = cut_length(titles)
        return sum(
            header_key(title) in own
            or any(is_cut(title, name, limit=limit) for name in self.signature)
            for title in titles
        )

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return {
            header_key(name): target for target, names in self.columns.items() for name in names
        }

    @cached_property
    def _left_out(self) -> frozenset[str]:
        return frozenset(map(header_key, self.left_out))

    @cached_property
    def _names(self) -> Sequence[tuple[str | None, str]]:
        """(target, or None for one to leave out; name as written)."""
        read: Iterable[tuple[str | None, str]] = (
            (target, name) for target, names in self.columns.items() for name in names
        )
        return [*read, *((None, name) for name in self.left_out)]


def never_read(title: str) -> bool:
    """Whether a column holds what must not enter the district's alumni records at all."""
    key = header_key(title)
    return NOT_READ.fullmatch(key) is not None or (
        len(key) >= SHORTEST_CUT and any(name.startswith(key) for name in _NOT_READ_CUT)
    )


def may_refuse(title: str) -> bool:
    """Whether a column's name sounds as if it held a no to mail, a block or a death."""
    return REFUSAL.fullmatch(header_key(title)) is not None
