"""How likely two records are one person: evidence weighed as in record linkage.

Each comparison adds the logarithm of a likelihood ratio (Fellegi and Sunter 1969) to prior odds;
the ratios are set by hand for school records and are a start, not learnt from a district's own
decisions. Similarity of names is Jaro-Winkler's, by rapidfuzz.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from math import exp, log

from rapidfuzz.distance import JaroWinkler

PRIOR = log(1 / 50)
"""Odds that a pair which shares anything that candidates are found by is one person."""
SAME_NAME, LIKE_NAME, OTHER_NAME = log(40), log(8), log(1 / 2_000)
"""Another given name weighs most: twins share everything else."""
SAME_FAMILY, OTHER_FAMILY = log(12), log(1 / 8)
SAME_BIRTH, SWAPPED_BIRTH, OTHER_BIRTH = log(300), log(40), log(1 / 200)
SAME_EMAIL, SAME_PHONE = log(150), log(25)
SAME_CLASS, OTHER_CLASS = log(8), log(1 / 12)
SAME_SCHOOL = log(4)
OTHER_ID = log(1 / 100)
LIKE = 0.9


@dataclass(frozen=True)
class Record:
    """What of a person is compared; names folded, addresses in their comparable form."""

    id: int
    given: frozenset[str]
    family: frozenset[str]
    birth_date: date | None
    class_year: int | None
    emails: frozenset[str]
    phones: frozenset[str]
    schools: frozenset[int]
    ids: frozenset[tuple[str, str]]


def compare(a: Record, b: Record) -> tuple[float, list[str]]:
    """The chance that two records are one person, and the words for what speaks for it."""
    found = [*_names(a, b), *_dates(a, b), *_places(a, b)]
    odds = PRIOR + sum(weight for weight, _ in found)
    return 1 / (1 + exp(-odds)), [word for _, word in found if word]


def _names(a: Record, b: Record) -> list[tuple[float, str]]:
    found = []
    if a.given and b.given:
        near = _nearest(a.given, b.given)
        if near == 1:
            found.append((SAME_NAME, "given_name"))
        elif near >= LIKE:
            found.append((LIKE_NAME, "like_name"))
        else:
            found.append((OTHER_NAME, ""))
    if a.family and b.family:
        same = _nearest(a.family, b.family) >= LIKE
        found.append((SAME_FAMILY, "family_name") if same else (OTHER_FAMILY, ""))
    return found


def _nearest(some: Collection[str], others: Collection[str]) -> float:
    """The similarity of the two most similar names, 0 to 1."""
    return max(JaroWinkler.similarity(x, y) for x in some for y in others)


def _dates(a: Record, b: Record) -> list[tuple[float, str]]:
    found = []
    if a.birth_date and b.birth_date:
        if a.birth_date == b.birth_date:
            found.append((SAME_BIRTH, "birth_date"))
        elif sorted(a.birth_date.isoformat()) == sorted(b.birth_date.isoformat()):
            found.append((SWAPPED_BIRTH, "like_birth_date"))
        else:
            found.append((OTHER_BIRTH, ""))
    if a.class_year and b.class_year:
        same = abs(a.class_year - b.class_year) <= 1
        found.append((SAME_CLASS, "class_year") if same else (OTHER_CLASS, ""))
    return found


def _places(a: Record, b: Record) -> list[tuple[float, str]]:
    found = []
    if a.emails & b.emails:
        found.append((SAME_EMAIL, "email"))
    if a.phones & b.phones:
        found.append((SAME_PHONE, "phone"))
    if a.schools & b.schools:
        found.append((SAME_SCHOOL, "school"))
    systems = {system for system, _ in a.ids} & {system for system, _ in b.ids}
    if systems:
        found.append((OTHER_ID * len(systems), ""))
    return found
