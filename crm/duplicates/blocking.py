"""Which pairs are worth comparing: those that share a key.

A key joins two facts that seldom both are spoilt, such as the birth date and the sound of the given
name; nineteen kinds of keys forgive a slip in any one fact. Of a key that a crowd shares each
person is held only against the next few in the order of names (a sorted neighbourhood, Hernández
and Stolfo 1995).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from crm.duplicates.columns import NOTHING, Codes, People

CROWD = 12
"""Of a key that more people share than this, only neighbours are compared."""
NEIGHBOURS = 2
MASS = 400
"""A key that more people share than this says nothing."""
Keys = NDArray[np.uint64]
Pairs = NDArray[np.uint64]
_SOUNDS = str.maketrans("bfpvcgjkqsxzdtlmnr", "111122222222334556")
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


def sound(name: str) -> str:
    """How a name sounds: its first letter and three digits (Soundex, Russell 1918)."""
    if not name:
        return ""
    digits = name.translate(_SOUNDS)
    found, last = name[0], digits[0]
    for letter, digit in zip(name[1:], digits[1:], strict=True):
        if digit.isdigit() and digit != last:
            found += digit
        if letter not in "hw":
            last = digit
    return (found + "000")[:4]


def candidates(people: People) -> Pairs:
    """Every pair worth comparing, once: the lower row in the upper 32 bits, the other below."""
    order = _name_order(people)
    found = [np.unique(_pairs(rows, keys, order)) for rows, keys in _keys(people) if len(rows) > 1]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64)


def rows_of(pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two rows of each pair."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(
        np.int64
    )


def _keys(people: People) -> Iterator[tuple[NDArray[np.int32], Keys]]:
    """For each kind of key the rows that have one, and the keys."""
    sounds, stems = _forms(people)
    given, family = (np.where(c >= 0, sounds[c], NOTHING) for c in (people.given, people.family))
    city = np.where(people.city >= 0, sounds[people.city], NOTHING)
    stem = np.where(people.street >= 0, stems[people.street], NOTHING)
    birth = _known(people.birth)
    year, day = _known(people.birth // 10_000), _known(people.birth % 10_000)
    low, high = (f(given[:, 0], family[:, 0]) for f in (np.minimum, np.maximum))
    for n, column in enumerate((people.emails, people.phones, people.locals)):
        yield _spread(n, column)
    yield _spread(3, given, birth)
    yield _spread(4, family, birth)
    for n, facts in enumerate(((year,), (day,), (_known(people.class_year),), (people.postal,),
                               (city, year // 10))):  # fmt: skip
        yield _spread(5 + n, low, high, *facts)
        yield _spread(5 + n, family[:, 1:], given[:, 0], *facts)
        yield _spread(5 + n, given[:, 1:], family[:, 0], *facts)
    yield _spread(10, given, stem)
    yield _spread(11, family, stem)
    yield _whole_names(12, people)
    yield _spread(13, given, people.postal, year)
    yield _spread(14, family, people.postal, day)
    yield _spread(15, stem, birth)
    yield _spread(16, stem, people.postal)
    yield _spread(17, people.schools, low, high)
    yield _spread(18, people.postal, day, year // 10)


def _known(column: Codes) -> Codes:
    return np.where(column > 0, column, NOTHING).astype(np.int32)


def _forms(people: People) -> tuple[Codes, Codes]:
    """For each text the code of its sound, and that of the beginning of its longest word."""
    sounds: dict[int, int] = {}
    stems: dict[int, int] = {}
    named = [c.ravel() for c in (people.given, people.family, people.city)]
    for code in np.unique(np.concatenate(named)).tolist():
        if code >= 0:
            sounds[code] = people.texts.code("~" + sound(people.texts.known[code]))
    for code in np.unique(people.street).tolist():
        if code >= 0:
            longest = max(people.texts.known[code].split(), key=len)
            stems[code] = people.texts.code("~~" + longest[:5])
    count = len(people.texts.known)
    return _by_code(sounds, count), _by_code(stems, count)


def _by_code(form: Mapping[int, int], count: int) -> Codes:
    found = np.full(count + 1, NOTHING, dtype=np.int32)
    found[list(form)] = list(form.values())
    return found


def _name_order(people: People) -> NDArray[np.int64]:
    """The rank of each person in the order of names."""
    names = people.texts.known
    ranks = np.empty(len(names) + 1, dtype=np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    ranks[-1] = -1
    order = np.lexsort((ranks[people.given[:, 0]], ranks[people.family[:, 0]]))
    found = np.empty(people.count, dtype=np.int64)
    found[order] = np.arange(people.count)
    return found


def _spread(kind: int, several: Codes, *others: Codes) -> tuple[NDArray[np.int32], Keys]:
    """A key for each value of the first column together with the others, where all are known."""
    matrix = several if several.ndim == 2 else several[:, None]
    rows, keys = [], []
    for column in matrix.T:
        known = column >= 0
        for other in others:
            known &= other >= 0
        here = np.flatnonzero(known).astype(np.int32)
        rows.append(here)
        keys.append(_mixed(kind, column[here], *(other[here] for other in others)))
    return np.concatenate(rows), np.concatenate(keys)


def _whole_names(kind: int, people: People) -> tuple[NDArray[np.int32], Keys]:
    """Every given name with every family name, in either order."""
    rows, keys = [], []
    for one in people.given.T:
        for other in people.family.T:
            here, key = _spread(kind, np.minimum(one, other), np.maximum(one, other))
            rows.append(here)
            keys.append(key)
    return np.concatenate(rows), np.concatenate(keys)


def _mixed(kind: int, *columns: Codes) -> Keys:
    with np.errstate(over="ignore"):
        found = np.full(len(columns[0]), kind + 1, dtype=np.uint64)
        for column in columns:
            found = (found ^ (column.astype(np.uint64) + np.uint64(1))) * np.uint64(_MIX[0])
            found ^= found >> np.uint64(29)
            found *= np.uint64(_MIX[1])
    return found


def _pairs(rows: NDArray[np.int32], keys: Keys, order: NDArray[np.int64]) -> Pairs:
    """The pairs of rows that share a key."""
    by_key = np.lexsort((order[rows], keys))
    rows, keys = rows[by_key].astype(np.uint64), keys[by_key]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    sizes = np.diff(np.r_[starts, len(keys)])
    found = []
    for size in range(2, CROWD + 1):
        here = starts[sizes == size]
        if len(here):
            block = rows[here[:, None] + np.arange(size)]
            one, other = np.triu_indices(size, 1)
            found.append(_joined(block[:, one].ravel(), block[:, other].ravel()))
    crowded = np.repeat((sizes > CROWD) & (sizes <= MASS), sizes)
    for step in range(1, NEIGHBOURS + 1):
        near = crowded[:-step] & (keys[step:] == keys[:-step])
        found.append(_joined(rows[:-step][near], rows[step:][near]))
    return np.concatenate(found)


def _joined(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> Pairs:
    """Two rows as one number, the lower first; a row with itself is no pair."""
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    joined: Pairs = (low << np.uint64(32)) | high
    return joined
