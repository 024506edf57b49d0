"""How alike two people are, fact by fact: each comparison ends in one of a few levels.

Level 0 says that one of them has no such fact. Names are compared by Jaro-Winkler, days and streets
by edits (rapidfuzz); each pair of texts once, however many people it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from crm.duplicates.columns import Codes, People
from crm.duplicates.nicknames import same_name

Rows = NDArray[np.int64]
Levels = NDArray[np.int8]
CLOSE, LIKE = 0.92, 0.82
SAME, NEAR, SIMILAR, SWAPPED, OTHER = 1, 2, 3, 4, 5

LEVELS: dict[str, tuple[str, ...]] = {
    "given": ("same", "close", "similar", "swapped", "other"),
    "family": ("same", "close", "similar", "other"),
    "birth": ("same", "one_edit", "two_edits", "other"),
    "class": ("same", "next", "other"),
    "place": ("same", "near", "other"),
    "street": ("same", "similar", "other"),
    "email": ("same", "same_name", "other"),
    "phone": ("same", "other"),
    "school": ("same", "other"),
    "id": ("clash",),
}
"""The comparisons and what their levels from 1 on mean."""
COLUMN = {name: n for n, name in enumerate(LEVELS)}


@dataclass(frozen=True)
class Compared:
    """The levels of pairs (one row each, columns as in `LEVELS`), and where `same` is told apart by
    how common a text is, the code of that text (else -1)."""

    levels: Levels
    given: Codes
    family: Codes
    street: Codes


def compare(people: People, one: Rows, other: Rows) -> Compared:
    """Compare the people of rows `one[n]` and `other[n]`, for every n."""
    levels = np.zeros((len(one), len(LEVELS)), dtype=np.int8)
    given, family, shared = _names(people, one, other)
    levels[:, COLUMN["given"]], levels[:, COLUMN["family"]] = given, family
    birth = _births(people.birth[one], people.birth[other])
    levels[:, COLUMN["birth"]] = birth
    levels[:, COLUMN["class"]] = _classes(people.class_year[one], people.class_year[other], birth)
    levels[:, COLUMN["place"]] = _places(people, one, other)
    street, same_street = _streets(people, one, other)
    levels[:, COLUMN["street"]] = street
    levels[:, COLUMN["email"]] = _emails(people, one, other)
    levels[:, COLUMN["phone"]] = _shared(people.phones[one], people.phones[other])
    levels[:, COLUMN["school"]] = _shared(people.schools[one], people.schools[other])
    levels[:, COLUMN["id"]] = (people.systems[one] & people.systems[other]) > 0
    return Compared(levels, *shared, same_street)


def _alike(
    texts: list[str], one: Codes, other: Codes, scorer: Callable[..., float]
) -> NDArray[np.float32]:
    """The similarity of two columns of texts, 0 to 1; 0 where either is nothing."""
    found = np.zeros(len(one), dtype=np.float32)
    same = (one == other) & (one >= 0)
    found[same] = 1
    differ = np.flatnonzero((one >= 0) & (other >= 0) & ~same)
    if len(differ):
        low, high = np.minimum(one[differ], other[differ]), np.maximum(one[differ], other[differ])
        both = low.astype(np.int64) << 32 | high
        pairs, place = np.unique(both, return_inverse=True)
        left = [texts[n] for n in (pairs >> 32).tolist()]
        right = [texts[n] for n in (pairs & 0xFFFFFFFF).tolist()]
        found[differ] = cpdist(left, right, scorer=scorer, dtype=np.float32)[place]
    return found


def _nearest(people: People, ours: Codes, theirs: Codes) -> tuple[NDArray[np.float32], Codes]:
    """The similarity of the most similar of their names, and the code of one that is the same."""
    best = np.zeros(len(ours), dtype=np.float32)
    shared = np.full(len(ours), -1, dtype=np.int32)
    for a in ours.T:
        for b in theirs.T:
            here = np.flatnonzero((a >= 0) & (b >= 0) & (best < 1))
            if not len(here):
                continue
            near = _alike(people.texts.known, a[here], b[here], JaroWinkler.similarity)
            shared[here] = np.where(near == 1, a[here], shared[here])
            best[here] = np.maximum(best[here], near)
    return best, shared


def _names(people: People, one: Rows, other: Rows) -> tuple[Levels, Levels, tuple[Codes, Codes]]:
    """The levels of given and family names, and the names that are the same.

    Given and family name in each other's column make one level of the given name.
    """
    texts, none = people.texts.known, np.int8(0)
    found, shared = [], []
    for names, other_level in ((people.given, OTHER), (people.family, 4)):
        ours, theirs = names[one], names[other]
        near, same = _nearest(people, ours, theirs)
        level = np.where(near >= LIKE, SIMILAR, other_level)
        level = np.where(near >= CLOSE, NEAR, level)
        level = np.where(near == 1, SAME, level)
        missing = (ours[:, 0] < 0) | (theirs[:, 0] < 0)
        found.append(np.where(missing, none, level).astype(np.int8))
        shared.append(same)
    _nicknames(people, one, other, found[0])
    apart = np.flatnonzero((found[0] >= SIMILAR) | (found[0] == 0))
    a, b = one[apart], other[apart]
    crossed = np.minimum(
        _alike(texts, people.given[a, 0], people.family[b, 0], JaroWinkler.similarity),
        _alike(texts, people.family[a, 0], people.given[b, 0], JaroWinkler.similarity),
    )
    swapped = apart[crossed >= CLOSE]
    found[0][swapped], found[1][swapped] = SWAPPED, none
    return found[0], found[1], (shared[0], shared[1])


def _nicknames(people: People, one: Rows, other: Rows, level: Levels) -> None:
    """Raise to `NEAR` the level of given names of which one is short for the other."""
    groups = same_name()
    named = {n: found for n, name in enumerate(people.texts.known) if (found := groups.get(name))}
    known = np.zeros(len(people.texts.known) + 1, dtype=bool)
    known[list(named)] = True
    for a in people.given.T:
        for b in people.given.T:
            here = np.flatnonzero((level >= SIMILAR) & known[a[one]] & known[b[other]])
            both = zip(a[one[here]].tolist(), b[other[here]].tolist(), strict=True)
            short = [not named[x].isdisjoint(named[y]) for x, y in both]
            level[here[np.array(short, dtype=bool)]] = NEAR


def _births(one: Codes, other: Codes) -> Levels:
    """Days: the same, one slip away (also day and month exchanged), two slips, others."""
    level = np.where(one == other, SAME, 0).astype(np.int8)
    differ = np.flatnonzero((one > 0) & (other > 0) & (one != other))
    both = one[differ].astype(np.int64) << 32 | other[differ]
    pairs, place = np.unique(both, return_inverse=True)
    left, right = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    edits = np.zeros(0)
    if len(pairs):
        words = [[str(n) for n in side.tolist()] for side in (left, right)]
        edits = cpdist(*words, scorer=OSA.distance, score_cutoff=2, dtype=np.int32)
    turned = left % 100 * 100 + left // 100 % 100
    swapped = (left // 10_000 == right // 10_000) & (turned == right % 10_000)
    slips = np.where(edits == 2, 3, 4)
    slips = np.where((edits == 1) | swapped, 2, slips).astype(np.int8)
    level[differ] = slips[place]
    return np.where((one > 0) & (other > 0), level, 0).astype(np.int8)


def _classes(one: Codes, other: Codes, birth: Levels) -> Levels:
    """Class years; a class that a like birth date makes likely anyway says nothing more."""
    apart = np.abs(one - other)
    level = np.where(apart == 0, 1, np.where(apart == 1, 2, 3))
    said = (birth > 0) & (birth < 3) & (apart <= 1)
    return np.where((one > 0) & (other > 0) & ~said, level, 0).astype(np.int8)


def _places(people: People, one: Rows, other: Rows) -> Levels:
    """Postal code and town: the same code, one slip or the same town, others."""
    texts = people.texts.known
    mine, theirs = people.postal[one], people.postal[other]
    code = _alike(texts, mine, theirs, OSA.normalized_similarity)
    town = _alike(texts, people.city[one], people.city[other], JaroWinkler.similarity)
    near = (town >= CLOSE) | (code >= 0.75)
    level = np.where((code == 1) & (mine >= 0), 1, np.where(near, 2, 3))
    known = ((mine >= 0) & (theirs >= 0)) | ((people.city[one] >= 0) & (people.city[other] >= 0))
    return np.where(known, level, 0).astype(np.int8)


def _streets(people: People, one: Rows, other: Rows) -> tuple[Levels, Codes]:
    mine, theirs = people.street[one], people.street[other]
    near = _alike(people.texts.known, mine, theirs, OSA.normalized_similarity)
    level = np.where(near == 1, 1, np.where(near >= 0.7, 2, 3))
    known = (mine >= 0) & (theirs >= 0)
    return (
        np.where(known, level, 0).astype(np.int8),
        np.where(known & (near == 1), mine, -1).astype(np.int32),
    )


def _emails(people: People, one: Rows, other: Rows) -> Levels:
    same = _shared(people.emails[one], people.emails[other])
    named = _shared(people.locals[one], people.locals[other])
    return np.where(same == 2, np.where(named == 1, 2, 3), same).astype(np.int8)


def _shared(ours: Codes, theirs: Codes) -> Levels:
    """Whether they share one of several: 1 yes, 2 no, 0 if either has none."""
    hit = np.zeros(len(ours), dtype=bool)
    for a in ours.T:
        for b in theirs.T:
            hit |= (a == b) & (a >= 0)
    known = (ours[:, 0] >= 0) & (theirs[:, 0] >= 0)
    return np.where(hit, 1, np.where(known, 2, 0)).astype(np.int8)
