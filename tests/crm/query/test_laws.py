"""Laws of the query language, tried on queries drawn by chance."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Permission, Role, Viewer
from crm.query import QueryError, compile_query
from crm.query.nodes import Node
from crm.query.parser import parse
from tests.crm.query.strategies import QUERIES, matches, people
from tests.factories import Make

BITS = (
    "ana", "class:", "2015", "..", "way:mentor", "-", "not ", "or ", "and ", "(", ")", " ", '"',
    ",", ":", "\\", "is:", "has:email", "added:", "90d", "2026-13", "9999y", "école", "ናርዶስ",
    "\x00", "\ud800", "custom.", "x", "did:", "last:", "segment:", "id:", "99999999999999999999",
    "stage:", "%", "_", "'", "\n", "“", "email:", "zip:", "school:", "٣", "mode.",
)  # fmt: skip
NOISE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(BITS), max_size=15).map("".join))
quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(QUERIES)
@settings(max_examples=300, deadline=None)
def test_the_canonical_text_means_the_same_query(node: Node) -> None:
    assert parse(str(node)) == node


@given(NOISE)
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_query_or_a_query_error_that_points_into_it(text: str) -> None:
    fault = None
    try:
        node = parse(text)
    except QueryError as error:
        fault = error
    if fault is None:
        assert parse(str(node)) == node
    else:
        assert 0 <= fault.position <= fault.position + fault.length <= max(len(text), 1)
        assert str(fault)


@quick
@given(text=NOISE)
def test_any_text_compiles_and_runs_or_is_refused_with_a_place(
    session: Session, make: Make, text: str
) -> None:
    try:
        compiled = compile_query(text, QueryContext(session, SYSTEM, make.at))
    except QueryError:
        return
    session.scalars(compiled.ids).all()
    again = compile_query(compiled.text, QueryContext(session, SYSTEM, make.at))
    assert again.text == compiled.text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_query_finds_exactly_those_whom_it_means(session: Session, make: Make, seed: int) -> None:
    population = people(make, seed)

    @settings(max_examples=60, deadline=None)
    @given(QUERIES)
    def check(node: Node) -> None:
        compiled = compile_query(str(node), QueryContext(session, SYSTEM, make.at))
        found = set(session.scalars(compiled.ids))
        wanted = {p.id for p in population if not p.merged and matches(node, p, make.at)}
        assert found == wanted

    check()


@pytest.mark.parametrize("role", list(Role))
def test_no_query_shows_a_viewer_anybody_beyond_their_wall(
    session: Session, make: Make, role: Role
) -> None:
    population = people(make, 4)
    inside = frozenset(population[2].school_ids)
    scopes = (None,) if role is Role.COORDINATOR else (inside, frozenset())
    sees_blocks = Viewer(1, role).may(Permission.BLOCKED_VIEW)

    @settings(max_examples=25, deadline=None)
    @given(QUERIES, st.sampled_from(scopes))
    def check(node: Node, scope: frozenset[int] | None) -> None:
        viewer = Viewer(1, role, "", scope)
        compiled = compile_query(str(node), QueryContext(session, viewer, make.at))
        found = set(session.scalars(compiled.ids))
        for person in population:
            if person.id in found:
                assert scope is None or person.school_ids & scope
                assert not person.merged
                assert sees_blocks or not person.blocked

    check()
