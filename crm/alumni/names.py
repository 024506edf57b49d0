"""Names in any script and form: how they are searched and sorted.

Nothing is assumed of a name: a mononym, two family names, any alphabet. Search forms are made here
and only here, in Python, so that a query and a row are always folded alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Protocol

from anyascii import anyascii

WORD = re.compile(r"[^\W_]+", re.UNICODE)


class Named(Protocol):
    """Whatever has the name columns of an alumnus."""

    given_name: str
    middle_name: str
    family_name: str
    suffix: str
    preferred_name: str
    former_name: str


def fold(text: str) -> str:
    """Lower case with accents and apostrophes gone: `O’Brien-Núñez` → `obrien nunez`."""
    if text.isascii():
        return " ".join(WORD.findall(text.replace("'", "").lower()))
    plain = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "").replace("ʻ", ""))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(WORD.findall(plain))


def words(text: str) -> list[str]:
    """The search words of a text: each folded, and transliterated when not in Latin letters."""
    return list(_words(text))


# Names repeat themselves: a roster of a million has some ten thousand different ones.
@lru_cache(maxsize=1 << 16)
def _words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for word in fold(text).split():
        for form in (word, "".join(WORD.findall(anyascii(word).casefold()))):
            if form and form not in found:
                found.append(form)
    return tuple(found)


@lru_cache(maxsize=1 << 16)
def _latin(text: str) -> str:
    return anyascii(fold(text)).casefold()


def name_key(person: Named) -> str:
    """All search words of all of a person's names, each once."""
    parts = (
        person.given_name, person.preferred_name, person.middle_name,
        person.family_name, person.former_name,
    )  # fmt: skip
    return " ".join(dict.fromkeys(word for part in parts for word in _words(part or "")))


def sort_key(person: Named) -> str:
    """The list order: family name first, Latin letters, then given name."""
    family = _latin(person.family_name or person.given_name)
    given = _latin(person.given_name if person.family_name else "")
    return f"{family} {given}".strip()


def name_keys(
    given: Sequence[str],
    middle: Sequence[str],
    family: Sequence[str],
    _suffix: Sequence[str],
    preferred: Sequence[str],
    former: Sequence[str],
) -> list[str]:
    """`name_key` of many people, from the columns of their names."""
    columns = [map(_words, column) for column in (given, preferred, middle, family, former)]
    return [" ".join(dict.fromkeys(chain(*row))) for row in zip(*columns, strict=True)]


def sort_keys(given: Sequence[str], family: Sequence[str]) -> list[str]:
    """`sort_key` of many people, from the columns of their names."""
    return [
        f"{_latin(f or g)} {_latin(g if f else '')}".strip()
        for g, f in zip(given, family, strict=True)
    ]


def family_keys(given: Sequence[str], family: Sequence[str]) -> list[str]:
    """The words of each family name; of a mononym where there is none."""
    return [" ".join(_words(f or g)) for g, f in zip(given, family, strict=True)]


def full_name(person: Named) -> str:
    """The name as people write it, the chosen name first."""
    parts = (person.preferred_name or person.given_name, person.middle_name, person.family_name)
    return " ".join(part for part in (*parts, person.suffix) if part)
