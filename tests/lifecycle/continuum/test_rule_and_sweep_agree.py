"""Whatever happened and whenever ticks ran: standings equal the rule, computed from scratch."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.interactions.models import Mode
from lifecycle.continuum.definition import continuum
from lifecycle.continuum.models import Standing
from lifecycle.continuum.rule import Deed, Person, Place, place
from lifecycle.continuum.service import sweep
from lifecycle.continuum.verifying import verify
from tests.factories import Make

NEAR = [0, 1, 30, 364, 365, 366, 539, 540, 541, 729, 730, 731]
"""Distances in days around which the definition decides."""

moments = st.one_of(
    st.integers(0, 4000 * 24).map(lambda h: timedelta(hours=h)),
    st.lists(st.sampled_from(NEAR), max_size=5).map(lambda d: timedelta(days=sum(d))),
)
deeds = st.tuples(moments, st.sampled_from(list(Mode)), st.booleans())
spaced = st.lists(
    st.tuples(st.sampled_from(NEAR), st.sampled_from(list(Mode)), st.just(False)), max_size=10
).map(
    lambda steps: [
        (timedelta(days=sum(gap for gap, _, _ in steps[: n + 1])), mode, machine)
        for n, (_, mode, machine) in enumerate(steps)
    ]
)
"""Histories whose gaps are those around which the definition decides."""

graduations = st.one_of(
    st.none(), st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.just(date(2024, 2, 29))
)
people = st.tuples(
    graduations,
    st.sampled_from([None, 1, 1999, 2024, 2031]),
    st.one_of(st.lists(deeds, max_size=12), spaced),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(people, min_size=1, max_size=4), st.lists(moments, min_size=1, max_size=5))
def test_any_history_swept_at_any_times_equals_the_rule(
    session: Session, make: Make, now: datetime, crowd: list[Any], ticks: list[timedelta]
) -> None:
    start = now - timedelta(days=2000)
    with session.begin_nested() as savepoint:
        made = [
            make.alumnus(class_year=year, graduated_on=day, email=None, created_at=start)
            for day, year, _ in crowd
        ]
        schedule = sorted(start + t for t in ticks)
        # What is recorded before the first tick, and what only turns up between two of them.
        for turn, at in enumerate(schedule):
            for alumnus, (_, _, happened) in zip(made, crowd, strict=True):
                for after, mode, machine in happened[turn :: len(schedule)]:
                    days_ago = (now - (start + after)) / timedelta(days=1)
                    make.interaction(alumnus, mode=mode, machine=machine, days_ago=days_ago)
            sweep(session, at)
        at = schedule[-1]
        for alumnus, (_, _, happened) in zip(made, crowd, strict=True):
            human = [Deed(start + after, mode) for after, mode, machine in happened if not machine]
            person = Person(start, alumnus.graduated_on, alumnus.class_year)
            row = session.get(Standing, alumnus.id, populate_existing=True)
            assert row is not None
            stands = Place(row.phase, row.phase_since, row.stage, row.stage_since, row.next_at)
            assert stands == place(person, rounded(human, now), at, continuum())
        checked = verify(session, at)
        assert (checked.differing, checked.pending) == (0, 0)
        savepoint.rollback()


def rounded(human: list[Deed], now: datetime) -> list[Deed]:
    """The deeds as the factory stored them (it counts in days before now, as a float)."""
    return [Deed(now - timedelta(days=(now - d.at) / timedelta(days=1)), d.mode) for d in human]


def test_the_session_time_zone_does_not_matter(session: Session, make: Make, now: datetime) -> None:
    person = make.alumnus(graduated_on=date(2020, 3, 8))
    make.interaction(person, mode=Mode.PHILANTHROPIC, days_ago=539.97)
    sweep(session, now)
    first = session.execute(select(Standing.__table__)).all()
    session.execute(text("set local time zone 'America/New_York'"))
    session.execute(text("update alumnus set city = 'x'"))
    sweep(session, now)
    assert session.execute(select(Standing.__table__)).all() == first
    assert verify(session, now).differing == 0
