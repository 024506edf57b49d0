"""The form that builds queries reads any query and writes it back; its buttons change it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.alumni.building import board_from, board_of, pressed, text_of
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import QueryError
from crm.query.board import ALL, ANY, Board, Group, Line, read_board, write_board
from crm.query.nodes import Node, Rows, Term, all_of, any_of, negated, terms
from crm.query.parser import parse
from tests.crm.query.strategies import QUERIES
from tests.crm.query.test_laws import NOISE
from tests.factories import Make

PIECES = st.sampled_from(["kind:gift", "when:1y", "times:2..", "school:lincoln", "-mode:volunteer"])
ROWS = st.lists(PIECES, max_size=3).map(lambda texts: Rows("did", parse(" ".join(texts))))
MIXED: st.SearchStrategy[Node] = st.recursive(
    st.one_of(QUERIES, ROWS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(all_of),
        st.lists(inner, min_size=1, max_size=3).map(any_of),
        inner.map(negated),
    ),
    max_leaves=5,
)


def as_sent(board: Board) -> dict[str, str]:
    """The form as a browser sends it."""
    sent = {"match": board.match}
    for g, group in enumerate(board.groups):
        sent[f"kind-{g}"] = group.kind
        if group.negated:
            sent[f"out-{g}"] = "1"
        for n, line in enumerate(group.lines):
            place = f"{g}-{n}"
            if not line.field:
                sent[f"text-{place}"] = line.text
                continue
            sent[f"field-{place}"], sent[f"value-{place}"] = line.field, line.value
            sent[f"not-{place}"] = "1" if line.negated else "0"
    return sent


@given(MIXED)
@settings(max_examples=300, deadline=None)
def test_any_query_is_read_and_written_back_as_it_was(node: Node) -> None:
    board = read_board(node)
    assert str(write_board(board)) == str(node)
    assert write_board(board) == node


@given(MIXED)
@settings(max_examples=100, deadline=None)
def test_a_form_survives_the_way_through_a_browser(node: Node) -> None:
    board = read_board(node)
    few = len(board.groups) <= 30 and all(len(group.lines) <= 30 for group in board.groups)
    assert not few or board_from(as_sent(board)) == board


@pytest.mark.parametrize(
    ("query", "board"),
    [
        ("", Board()),
        (
            "class:2010..2015 -asked:90d (employer:delta or field:health)",
            Board((
                Group(ALL, (Line("class", "2010..2015"), Line("asked", "90d", negated=True))),
                Group(ANY, (Line("employer", "delta"), Line("field", "health"))),
            )),
        ),
        (
            "-did(kind:gift when:1y)",
            Board((Group("did", (Line("kind", "gift"), Line("when", "1y")), negated=True),)),
        ),
        (
            "class:2015 or (way:mentor -is:deceased)",
            Board(
                (
                    Group(ANY, (Line("class", "2015"),)),
                    Group(ALL, (Line("way", "mentor"), Line("is", "deceased", negated=True))),
                ),
                ANY,
            ),
        ),
        (
            "class:2015 ((way:mentor city:macon) or did(kind:gift or kind:call))",
            Board((
                Group(ALL, (
                    Line("class", "2015"),
                    Line(text="way:mentor city:macon or did(kind:gift or kind:call)"),
                )),
            )),
        ),
    ],
)  # fmt: skip
def test_what_the_form_cannot_show_is_kept_as_text(query: str, board: Board) -> None:
    assert read_board(parse(query)) == board


@given(NOISE)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_text_that_is_no_query_is_kept(session: Session, make: Make, text: str) -> None:
    board = board_of(text, QueryContext(session, SYSTEM, make.at))
    try:
        node = parse(text)
    except QueryError:
        assert text_of(board) == text
    else:
        again = parse(text_of(board))
        assert len(list(terms(again))) == len(list(terms(node)))


def test_a_value_with_blanks_is_put_in_quotation_marks() -> None:
    board = Board((Group(ALL, (Line("school", "Booker T. Washington"), Line("class", " "))),))
    assert text_of(board) == 'school:"Booker T. Washington"'
    assert text_of(Board((Group(ALL, (Line("way", "mentor,speak"),)),))) == "way:mentor,speak"


def test_buttons_add_and_take_away_lines_and_groups() -> None:
    board = pressed(pressed(Board(), "group:all"), "group:did")
    assert board == Board((Group(ALL, (Line("class"),)), Group("did")))
    assert pressed(board, "drop:0:0").groups[0].lines == ()
    assert pressed(board, "ungroup:0") == Board((Group("did"),))
    assert pressed(board, "ungroup:7") == pressed(board, "nonsense") == board


def test_the_page_builds_a_query_without_a_script(make: Make, coordinator: FlaskClient) -> None:
    make.alumnus("Ana", "Núñez", class_year=2015, ways=("mentor",))
    make.alumnus("Bob", "Stone", class_year=2014, ways=("mentor",))
    page = coordinator.get("/people/build?q=way:mentor+Year:2015").text
    assert "1 person" in page
    assert 'value="2015"' in page
    sent = as_sent(Board((Group(ALL, (Line("way", "mentor"),)),)))
    more = coordinator.get("/people/build", query_string={**sent, "do": "line:0"}).text
    assert 'name="field-0-1"' in more
    assert "2 people" in more
    sent |= {"field-0-1": "class", "not-0-1": "1", "value-0-1": "2014"}
    used = coordinator.get("/people/build", query_string={**sent, "do": "use"})
    assert used.location == "/people?q=way%3Amentor+-class%3A2014"
    saved = coordinator.get(
        "/people/build", query_string={**sent, "do": "use", "to": "/segments/new"}
    )
    assert saved.location == "/segments/new?q=way%3Amentor+-class%3A2014"
    away = coordinator.get("/people/build", query_string={**sent, "do": "use", "to": "//evil"})
    assert away.location.startswith("/people?")
    wrong = coordinator.get("/people/build?q=way:mentr+(a").text
    assert "never closed" in wrong
    assert "Kept as text" in wrong


def test_a_term_of_the_form_is_a_term_again() -> None:
    node = write_board(Board((Group(ALL, (Line("city", 'a"b'),)),)))
    assert isinstance(node, Term)
    assert parse(str(node)) == node
