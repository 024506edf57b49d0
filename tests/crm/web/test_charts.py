"""Charts: geometry that adds up, whatever the values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crm.web.charts import HEAT_LEVELS, bars, funnel, heat, heat_level, line, nice_top, stacked

counts = st.integers(min_value=0, max_value=10**9)


@given(st.lists(counts, max_size=12))
def test_the_longest_bar_fills_the_drawing_and_none_that_counts_is_invisible(
    values: list[int],
) -> None:
    rows = bars("b", "B", [(str(n), value) for n, value in enumerate(values)]).rows
    for row, value in zip(rows, values, strict=True):
        assert (row.width >= 1) == (value > 0)
        assert row.width <= 100
    if any(values):
        assert max(row.width for row in rows) == 100
        assert abs(sum(row.share for row in rows) - 1) < 1e-9


@given(st.lists(counts, min_size=1, max_size=8))
def test_the_parts_of_a_stacked_bar_meet_without_gap_and_fill_it(values: list[int]) -> None:
    parts = stacked("s", "S", [(str(n), v, "good") for n, v in enumerate(values)]).parts
    place = 0.0
    for part in parts:
        assert abs(part.x - place) < 0.02
        place = part.x + part.width
    assert abs(place - (100 if any(values) else 0)) < 0.02


@given(counts, counts)
def test_a_higher_count_is_never_a_paler_square(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert heat_level(low, high) <= heat_level(high, high)
    assert (heat_level(low, high) == 0) == (low == 0)
    assert heat_level(high, high) in {0, HEAT_LEVELS}


def test_a_heat_map_sums_rows_columns_and_all_and_links_only_what_is_there() -> None:
    chart = heat(
        "h",
        "H",
        rows=[("a", "A"), ("b", "B")],
        columns=[("x", "X"), ("y", "Y")],
        counts={("a", "x"): 3, ("b", "x"): 1, ("b", "y"): 6},
        hrefs={("a", "x"): "/ax", ("a", "y"): "/ay"},
    )
    assert [row.total for row in chart.rows] == [3, 7]
    assert chart.column_totals == (4, 6)
    assert chart.total == 10
    assert chart.rows[0].cells[0].href == "/ax"
    assert chart.rows[0].cells[1].href == ""


@given(st.floats(min_value=0, max_value=1e12))
def test_the_top_of_an_axis_is_round_and_not_far_above(value: float) -> None:
    top = nice_top(value)
    assert top >= value
    assert top == 1 or top <= value * 2.5 + 1e-9
    assert str(f"{top:g}".rstrip("0").replace(".", ""))[0] in "125"


@given(st.lists(counts, min_size=1, max_size=40))
def test_a_line_stays_inside_its_drawing(values: list[int]) -> None:
    chart = line("l", "L", [(str(n), value) for n, value in enumerate(values)])
    numbers = [float(word.lstrip("ML")) for word in chart.path.split()]
    assert all(0 <= number <= 100 for number in numbers)
    assert chart.area.endswith("Z")


def test_a_line_without_points_draws_nothing() -> None:
    assert line("l", "L", []).path == line("l", "L", []).area == ""


def test_a_funnel_tells_what_each_step_kept_of_the_one_before() -> None:
    stages = funnel("f", "F", [("asked", 40), ("answered", 10), ("yes", 0), ("came", 0)]).stages
    assert [stage.kept for stage in stages] == [None, 0.25, 0.0, 0.0]
    assert [stage.width for stage in stages] == [100, 25, 0, 0]
