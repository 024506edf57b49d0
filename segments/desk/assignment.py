"""Several requests solved together: who is asked for which, so that all of them gain most.

A transportation problem: each request has as many slots as people it wants to ask now, each person
at most one open ask. Slot j of a request is worth what is still missing if the first j asked have
answered, the chance that its places are not full yet, so that a second ask for a place that is
nearly sure counts less than the first ask for another. With slots as rows and people as columns it
is a linear assignment on a sparse graph, solved exactly by
`scipy.sparse.csgraph.min_weight_full_bipartite_matching` (LAPJVsp: Jonker & Volgenant, A shortest
augmenting path algorithm for dense and sparse linear assignment problems, Computing 38, 1987,
325-340). Every slot also has a column of its own that is worth nothing: nobody is asked for it.
Rows stand in the order of requests and columns in that of people, so the answer is the same
whenever it is asked for. ADR 22 says why this solver.

Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segments.desk.planning import yeses

LEAST = 1e-9


@dataclass(frozen=True)
class Wish:
    """What one request wants: `size` people of `people`, each worth `worth` (above 0) to it.

    `chances` are their chances of a yes, in the same order (the best first); `weight` is what the
    school's requests count beside others'.
    """

    key: int
    size: int
    places: int
    people: NDArray[np.int64]
    worth: NDArray[np.float64]
    chances: NDArray[np.float64]
    weight: float = 1.0

    def slots(self) -> list[float]:
        """What each further ask is worth: the chance that the places are not full without it."""
        if self.places < 1:
            return []
        return [
            max(LEAST, 1.0 - yeses(self.chances[:n].tolist(), self.places)[self.places])
            for n in range(min(self.size, len(self.people)))
        ]


def assign(wishes: Sequence[Wish]) -> Mapping[int, tuple[int, ...]]:
    """For each wish whom to ask, the worthiest first; nobody is asked for two of them."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    rows, columns, gains, owners = _edges(wishes)
    if not owners:
        return {wish.key: () for wish in wishes}
    everybody = np.unique(columns)
    nobody = len(everybody) + np.arange(len(owners))
    row = np.concatenate([rows, np.arange(len(owners))])
    column = np.concatenate([np.searchsorted(everybody, columns), nobody])
    gain = np.concatenate([gains, np.zeros(len(owners))])
    graph = csr_array((gain.max() + 1.0 - gain, (row, column)), shape=(len(owners), nobody[-1] + 1))
    slots, taken = min_weight_full_bipartite_matching(graph)
    found: dict[int, list[int]] = {wish.key: [] for wish in wishes}
    for slot, person in zip(slots.tolist(), taken.tolist(), strict=True):
        if person < len(everybody):
            found[owners[slot]].append(int(everybody[person]))
    return {wish.key: _in_order(wish, found[wish.key]) for wish in wishes}


def _edges(
    wishes: Sequence[Wish],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], list[int]]:
    """Slot, person and gain of every edge, and the wish of each slot."""
    rows, columns, gains = [], [], []
    owners: list[int] = []
    for wish in wishes:
        for factor in wish.slots():
            rows.append(np.full(len(wish.people), len(owners), dtype=np.int64))
            columns.append(wish.people)
            gains.append(wish.worth * factor * wish.weight)
            owners.append(wish.key)
    if not owners:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0), []
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(gains), owners


def _in_order(wish: Wish, people: Sequence[int]) -> tuple[int, ...]:
    place = {int(person): n for n, person in enumerate(wish.people)}
    return tuple(sorted(people, key=lambda person: place[person]))


def total(wishes: Sequence[Wish], asked: Mapping[int, Sequence[int]]) -> float:
    """What an assignment is worth, by the measure that `assign` makes as large as can be."""
    worth = 0.0
    for wish in wishes:
        value = dict(zip(wish.people.tolist(), wish.worth.tolist(), strict=True))
        best = sorted((value[person] for person in asked.get(wish.key, ())), reverse=True)
        worth += wish.weight * sum(v * f for v, f in zip(best, wish.slots(), strict=False))
    return worth


def first_come(wishes: Sequence[Wish]) -> Mapping[int, tuple[int, ...]]:
    """One wish after another takes its best who are left: what solving together is held against."""
    taken: set[int] = set()
    found: dict[int, tuple[int, ...]] = {}
    for wish in wishes:
        free = [int(person) for person in wish.people if int(person) not in taken]
        found[wish.key] = tuple(free[: len(wish.slots())])
        taken.update(found[wish.key])
    return found
