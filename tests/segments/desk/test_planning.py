"""A wave is the smallest that fills the places in time: properties of the pure planning core."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.desk.planning import (
    Circle,
    chance_filled,
    circle_of,
    holds_ahead,
    in_time,
    most_at_once,
    outlook,
    wave_size,
    yeses,
)

NOON = datetime(2026, 9, 1, 16, tzinfo=UTC)
CHANCES = st.lists(st.floats(0.01, 0.95), max_size=40)
WITHIN = st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6).map(
    lambda shares: tuple(sorted(shares, reverse=True))
)
TARGETS = st.floats(0.5, 0.99)


@given(st.lists(st.floats(0, 1), max_size=8), st.integers(0, 9))
def test_the_distribution_of_yeses_is_that_of_every_outcome_added_up(
    chances: list[float], most: int
) -> None:
    exact = [0.0] * (most + 1)
    for outcome in product((0, 1), repeat=len(chances)):
        weight = prod(p if yes else 1 - p for p, yes in zip(chances, outcome, strict=True))
        exact[min(sum(outcome), most)] += weight
    assert yeses(chances, most) == pytest.approx(exact, abs=1e-9)


@given(CHANCES, st.integers(1, 8), WITHIN, TARGETS)
def test_a_wave_is_the_smallest_that_reaches_the_target(
    chances: list[float], places: int, within: tuple[float, ...], target: float
) -> None:
    size = wave_size(chances, places, within, target)
    assert size <= min(len(chances), most_at_once(places))
    if size > 1:
        share = sum(within) / len(within)
        fewer = [p * share for p in chances[: (size - 1) * len(within)]]
        assert chance_filled(fewer, places) < target


@given(CHANCES, st.integers(1, 7), WITHIN, TARGETS)
def test_more_places_never_make_a_wave_smaller(
    chances: list[float], places: int, within: tuple[float, ...], target: float
) -> None:
    assert wave_size(chances, places, within, target) <= wave_size(
        chances, places + 1, within, target
    )


@given(CHANCES, st.floats(0, 1), st.integers(1, 7), WITHIN, TARGETS)
def test_higher_chances_never_make_a_wave_larger(
    chances: list[float], more: float, places: int, within: tuple[float, ...], target: float
) -> None:
    higher = [p + (1 - p) * more for p in chances]
    assert wave_size(higher, places, within, target) <= wave_size(chances, places, within, target)


@given(CHANCES, st.integers(1, 7), WITHIN, TARGETS, st.floats(0, 0.4))
def test_more_time_never_makes_a_wave_larger_nor_a_higher_target_a_smaller_one(
    chances: list[float], places: int, within: tuple[float, ...], target: float, more: float
) -> None:
    size = wave_size(chances, places, within, target)
    assert wave_size(chances, places, (within[0], *within), target) <= size
    assert wave_size(chances, places, within, min(0.999, target + more)) >= size


@given(CHANCES, st.integers(1, 7), WITHIN, TARGETS)
def test_the_outlook_is_the_chance_that_enough_say_yes_and_no_ask_is_made_in_vain(
    chances: list[float], places: int, within: tuple[float, ...], target: float
) -> None:
    size = wave_size(chances, places, within, target)
    plan = outlook(chances, places, within, [3.0] * len(within), size, target=target)
    reached = in_time(chances, within, size)
    assert plan.filled == pytest.approx(chance_filled(reached, places), abs=1e-9)
    assert min(size, len(reached)) - 1e-9 <= plan.asks <= len(reached) + 1e-9
    assert plan.days <= 3.0 * len(within) + 1e-9


def test_holds_fit_until_the_date_and_shrink_towards_it() -> None:
    holds = holds_ahead(NOON, [NOON + timedelta(days=20), NOON + timedelta(days=14)])
    assert holds[:6] == (timedelta(hours=72),) * 6
    assert sum(holds, timedelta()) < timedelta(days=20)
    assert list(holds) == sorted(holds, reverse=True)
    assert holds_ahead(NOON, [NOON + timedelta(hours=6)]) == ()
    assert holds_ahead(NOON, []) == ()


def test_sure_people_are_asked_one_by_one_while_there_is_time_and_together_when_there_is_none() -> (
    None
):
    likely = [0.5] * 20
    assert wave_size(likely, 1, (1.0,) * 4, 0.9) == 1
    assert wave_size(likely, 1, (1.0,), 0.9) == 4
    assert wave_size([0.02] * 20, 1, (1.0,) * 2, 0.9) == most_at_once(1)


def test_a_circle_is_left_only_when_its_people_do_not_suffice() -> None:
    own, near = [0.5, 0.4], [0.5, 0.4, 0.5, 0.5, 0.4]
    people = {Circle.SCHOOL: own, Circle.CLUSTER: near}
    assert circle_of(people, 1, (1.0, 1.0), 0.6) is Circle.SCHOOL
    assert circle_of(people, 1, (1.0, 1.0), 0.9) is Circle.CLUSTER
    assert circle_of(people, 4, (1.0, 1.0), 0.9) is Circle.DISTRICT
    assert circle_of(people, 1, (), 0.6) is Circle.DISTRICT
