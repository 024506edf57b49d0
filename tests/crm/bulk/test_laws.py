"""Laws of bulk changes: taking one back is the identity, and none reaches beyond its wall."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.bulk import background, service
from crm.bulk.engine import action_of
from crm.bulk.models import BulkLine, BulkRun, BulkState, Fate
from crm.core.database import db
from crm.core.viewer import SYSTEM, Permission, Role
from crm.imports.models import CustomField
from crm.query.nodes import Node
from lifecycle.journeys.service import publish
from segments.saved.models import Segment, SegmentKind, SegmentMember
from tests.crm.query.strategies import QUERIES, SUBJECTS, WAYS, Known, people
from tests.factories import Make

OURS = {"audit_entry", "alumnus_change", "person_touch", "bulk_run", "bulk_line"}
"""What tells of a change, and the marks for what is derived."""
JOURNEY = """
journey: visit
name: After a visit
serves: Keep the tie
enter: {when: class:1950, reentry: yearly}
exit: way:tutor
steps:
  - {id: rest, wait: 10d}
  - {id: done, exit: done}
"""
EVERYWHERE = {"segment_add", "segment_remove", "journey"}
"""Actions of their author alone, or of whoever sees the whole district."""
DOING = st.sampled_from(["set", "clear"])
ACTIONS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(
        st.just("way"), st.fixed_dictionaries({"key": st.sampled_from(WAYS), "doing": DOING})
    ),
    st.tuples(
        st.just("subject"),
        st.fixed_dictionaries({"key": st.sampled_from(SUBJECTS), "doing": DOING}),
    ),
    st.tuples(
        st.just("custom"),
        st.fixed_dictionaries(
            {"key": st.sampled_from(["club", "sport"]), "value": st.sampled_from([None, "a", "b"])}
        ),
    ),
    st.tuples(
        st.just("language"), st.fixed_dictionaries({"language": st.sampled_from(["en", "es"])})
    ),
    st.tuples(
        st.just("interaction"),
        st.just(
            {"kind": "call", "day": "2026-09-01", "school_id": None, "hours": "1.5", "note": ""}
        ),
    ),
    st.tuples(st.sampled_from(["segment_add", "segment_remove"]), st.just({"key": "kept"})),
    st.just(("journey", {"key": "visit"})),
)  # fmt: skip
TIGHTENING: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.just(("do_not_contact", {})),
    st.sampled_from(["events", "*"]).map(
        lambda t: ("withdraw", {"topic": t, "wording": "told us"})
    ),
)
quick = settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture
def population(make: Make) -> list[Known]:
    """People drawn by chance, some with custom fields, some in a frozen segment."""
    found = people(make, 5)
    for key in ("club", "sport"):
        make.save(CustomField(key=key, label=key.title(), created_at=make.at))
    segment = make.save(
        Segment(
            key="kept", name="Kept", query="", kind=SegmentKind.FROZEN, created_at=make.at,
            updated_at=make.at,
        )
    )  # fmt: skip
    publish(make.session, JOURNEY, name="visit.yaml", by=SYSTEM, at=make.at)
    for n, known in enumerate(found):
        row = make.session.get_one(Alumnus, known.id)
        row.custom = [{}, {"club": "a"}, {"club": "b", "sport": "a", "x": None}][n % 3]
        if n % 2:
            make.save(SegmentMember(segment_id=segment.id, alumnus_id=known.id))
    return found


@contextmanager
def forgotten(session: Session) -> Iterator[None]:
    """What happens inside is taken back, so that every example starts alike."""
    session.flush()
    nested = session.begin_nested()
    try:
        yield
    finally:
        nested.rollback()
        session.expire_all()


def everything(session: Session) -> dict[str, list[str]]:
    """Every row of every table but those that tell of the change."""
    session.flush()
    return {
        table.name: list(session.scalars(text(f"select t::text from {table.name} t order by 1")))
        for table in db.metadata.sorted_tables
        if table.name not in OURS
    }


def go(session: Session, run: BulkRun, make: Make) -> None:
    """Work until it is done, committing nothing."""
    while background._batch(session, run.id, make.at):
        session.flush()
    session.flush()


def asked(
    session: Session, user: User, deed: tuple[str, dict[str, Any]], query: str, make: Make
) -> BulkRun:
    viewer = viewer_for(session, user)
    run = service.ask(
        session, viewer, action=deed[0], options=deed[1], query=query, chosen=None, at=make.at
    )
    go(session, run, make)
    return run


def applied(session: Session, run: BulkRun, user: User, make: Make) -> None:
    service.apply(session, run, by=viewer_for(session, user), at=make.at)
    go(session, run, make)


def test_a_change_and_its_taking_back_leave_everything_as_it_was(
    session: Session, make: Make, population: list[Known]
) -> None:
    user = make.user()
    before = everything(session)

    @quick
    @given(ACTIONS, QUERIES)
    def check(deed: tuple[str, dict[str, Any]], node: Node) -> None:
        with forgotten(session):
            run = asked(session, user, deed, str(node), make)
            assert everything(session) == before
            applied(session, run, user, make)
            done = run.totals.get("done", 0)
            assert (everything(session) != before) == (done > 0)
            if done:
                service.undo(session, run, by=viewer_for(session, user), at=make.at)
                go(session, run, make)
                assert run.totals.get("stays", 0) == 0
            assert everything(session) == before

    check()


def test_a_tightening_only_ever_tightens_and_is_not_taken_back(
    session: Session, make: Make, population: list[Known]
) -> None:
    user = make.user()

    @quick
    @given(TIGHTENING, QUERIES)
    def check(deed: tuple[str, dict[str, Any]], node: Node) -> None:
        with forgotten(session):
            run = asked(session, user, deed, str(node), make)
            applied(session, run, user, make)
            assert action_of(run.action).back is None
            assert not service.can_undo(run, make.at)
            granted = text("select count(*) from consent_entry where state = 'granted'")
            assert session.scalar(granted) == 0
            # Done once, it is done: nobody is left to change.
            again = asked(session, user, deed, str(node), make)
            assert again.totals.get("change", 0) == 0

    check()


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.LIAISON])
def test_no_change_touches_or_shows_anybody_beyond_the_wall(
    session: Session, make: Make, population: list[Known], role: Role
) -> None:
    inside = population[2].school_ids
    user = make.user(role)
    if role is Role.LIAISON:
        session.execute(
            text("insert into staff_user_scope (user_id, school_id) values (:u, :s)"),
            [{"u": user.id, "s": school_id} for school_id in inside],
        )
    viewer = viewer_for(session, user)
    allowed = {
        p.id
        for p in population
        if not p.merged
        and (viewer.school_ids is None or p.school_ids & viewer.school_ids)
        and (viewer.may(Permission.BLOCKED_VIEW) or not p.blocked)
    }
    assert allowed
    rows = select(Alumnus.id, text("alumnus::text"))

    @quick
    @given(st.one_of(ACTIONS.filter(lambda a: a[0] not in EVERYWHERE), TIGHTENING), QUERIES)
    def check(deed: tuple[str, dict[str, Any]], node: Node) -> None:
        with forgotten(session):
            outside = {i: row for i, row in session.execute(rows) if i not in allowed}
            run = asked(session, user, deed, str(node), make)
            lines = select(BulkLine.alumnus_id).where(BulkLine.run_id == run.id)
            assert set(session.scalars(lines)) <= allowed
            applied(session, run, user, make)
            assert run.state is BulkState.APPLIED
            after = {i: row for i, row in session.execute(rows) if i not in allowed}
            assert after == outside
            for table in ("interest", "interaction", "consent_entry"):
                named = f"select alumnus_id from {table} where {SOURCE[table]} = :run"
                found = session.scalars(text(named), {"run": f"bulk:{run.id}"})
                assert set(found) <= allowed

    check()


SOURCE = {"interest": "source", "interaction": "origin", "consent_entry": "reference"}


def test_the_people_of_a_change_add_up_by_what_became_of_them(
    session: Session, make: Make, population: list[Known]
) -> None:
    user = make.user()
    with forgotten(session):
        run = asked(session, user, ("language", {"language": "es"}), "", make)
        applied(session, run, user, make)
        parts = (run.totals.get(fate.value, 0) for fate in Fate)
        assert sum(parts) == len([p for p in population if not p.merged])
