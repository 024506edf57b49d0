"""Law 8 for files: whatever a viewer asks, nobody beyond their wall is in one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.alumni.export import COLUMNS, CONTACT_COLUMNS
from crm.core.extend import QueryContext
from crm.core.viewer import Permission, Role, Viewer
from crm.exports.columns import choices
from crm.exports.making import _batches
from crm.exports.queries import amount_of
from crm.query import compile_query
from crm.query.nodes import Node
from tests.crm.query.strategies import QUERIES, people
from tests.factories import Make


@pytest.mark.parametrize("role", list(Role))
def test_no_file_holds_anybody_beyond_the_wall_or_an_address_one_may_not_see(
    session: Session, make: Make, role: Role
) -> None:
    population = {p.id: p for p in people(make, 6)}
    inside = frozenset(next(iter(population.values())).school_ids)
    scopes = (None,) if role is Role.COORDINATOR else (inside, frozenset())

    @settings(
        max_examples=12, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(QUERIES, st.sampled_from(scopes))
    def check(node: Node, scope: frozenset[int] | None) -> None:
        viewer = Viewer(1, role, "", scope)
        offered = [choice.key for choice in choices(session, viewer)]
        sees = viewer.may(Permission.CONTACT_VIEW)
        assert sees == bool(set(offered) & set(CONTACT_COLUMNS))
        compiled = compile_query(str(node), QueryContext(session, viewer, make.at))
        written = 0
        for ids, rows in _batches(session, compiled, viewer, list(COLUMNS)):
            written += len(ids)
            for alumnus_id, row in zip(ids, rows, strict=True):
                person = population[alumnus_id]
                assert not person.blocked
                assert not person.merged
                assert scope is None or person.school_ids & scope
                addresses = [v for k, v in zip(COLUMNS, row, strict=True) if k in CONTACT_COLUMNS]
                assert sees or not any(addresses)
        assert amount_of(session, compiled).people == written

    check()
