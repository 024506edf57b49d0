"""The line from which pairs are proposed, as reviewers' decisions move it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crm.duplicates.finding import FLOOR, THRESHOLD
from crm.duplicates.learning import CEILING, ENOUGH, TARGET, Step, line


def test_few_decisions_teach_nothing() -> None:
    assert line([Step(0.5, 0, ENOUGH - 1)]) == THRESHOLD


def test_the_line_falls_to_where_enough_is_merged() -> None:
    assert line([Step(0.5, 1, 20), Step(0.6, 20, 20), Step(0.95, 40, 40)]) == 0.6


def test_the_line_rises_where_too_much_is_refused() -> None:
    assert line([Step(0.8, 5, 20), Step(0.9, 10, 20), Step(0.97, 50, 50)]) == 0.97
    assert line([Step(0.8, 0, 60)]) == CEILING


STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40)), max_size=30
).map(
    lambda rows: [
        Step(low / 100, min(yes, n), n)
        for low, yes, n in sorted({low: (low, yes, n) for low, yes, n in rows}.values())
    ]
)


@given(STEPS)
def test_the_line_stays_within_bounds_and_keeps_its_promise(steps: list[Step]) -> None:
    found = line(steps)
    assert FLOOR <= found <= CEILING
    above = [step for step in steps if step.low >= found]
    decided = sum(step.decided for step in above)
    if sum(step.decided for step in steps) >= ENOUGH and decided and FLOOR < found < CEILING:
        assert sum(step.merged for step in above) / decided >= TARGET
