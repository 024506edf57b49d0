"""Requests solved together: the most that can be had, nobody twice, the same answer each time."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.desk.assignment import Wish, assign, first_come, total


def wish(key: int, worth: dict[int, float], *, size: int = 1, weight: float = 1.0) -> Wish:
    """A wish for people worth so much, who say yes with that chance too."""
    people = sorted(worth, key=lambda person: -worth[person])
    values = np.array([worth[person] for person in people], dtype=float)
    return Wish(key, size, 1, np.array(people, dtype=np.int64), values, values, weight)


@st.composite
def several(draw: st.DrawFn) -> list[Wish]:
    found = []
    for key in range(draw(st.integers(1, 3))):
        people = draw(st.lists(st.integers(1, 5), min_size=0, max_size=4, unique=True))
        worth = {person: draw(st.floats(0.05, 0.95)) for person in people}
        found.append(wish(key, worth, size=draw(st.integers(0, 2)), weight=draw(st.floats(0.5, 2))))
    return found


def test_first_come_first_served_loses_where_the_second_has_but_one() -> None:
    wishes = [wish(1, {7: 0.6, 8: 0.59}), wish(2, {7: 0.6})]
    assert first_come(wishes) == {1: (7,), 2: ()}
    together = assign(wishes)
    assert together == {1: (8,), 2: (7,)}
    assert total(wishes, together) == pytest.approx(1.19)
    assert total(wishes, first_come(wishes)) == pytest.approx(0.6)


def test_a_second_ask_for_a_place_counts_less_than_the_first_for_another() -> None:
    greedy = wish(1, {7: 0.9, 8: 0.8}, size=2)
    modest = wish(2, {8: 0.3})
    assert assign([greedy, modest]) == {1: (7,), 2: (8,)}


def test_a_school_that_was_passed_over_goes_first() -> None:
    wishes = [wish(1, {7: 0.6}), wish(2, {7: 0.5}, weight=1.5)]
    assert assign(wishes) == {1: (), 2: (7,)}


@given(several())
@settings(max_examples=60, deadline=None)
def test_nobody_is_asked_twice_and_no_other_way_is_worth_more(wishes: list[Wish]) -> None:
    found = assign(wishes)
    asked = [person for people in found.values() for person in people]
    assert len(asked) == len(set(asked))
    for w in wishes:
        assert len(found[w.key]) <= w.size
        assert set(found[w.key]) <= set(w.people.tolist())
    assert total(wishes, found) == pytest.approx(best_of_all(wishes), abs=1e-9)
    assert total(wishes, found) >= total(wishes, first_come(wishes)) - 1e-9
    assert found == assign(wishes)


def best_of_all(wishes: list[Wish]) -> float:
    """The largest total, found by trying every order in which people could be given to slots."""
    owners = [w.key for w in wishes for _ in w.slots()]
    nobody = [-n for n in range(1, len(owners) + 1)]
    people = sorted({p for w in wishes for p in w.people.tolist()})
    wanted = {w.key: set(w.people.tolist()) for w in wishes}
    best = 0.0
    for given_out in permutations(people + nobody, len(owners)):
        asked: dict[int, list[int]] = {w.key: [] for w in wishes}
        for owner, person in zip(owners, given_out, strict=True):
            if person in wanted[owner]:
                asked[owner].append(person)
        best = max(best, total(wishes, asked))
    return best
