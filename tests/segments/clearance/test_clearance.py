"""Clearance: the rules, their SQL twin, and recording it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.alumni.models import Alumnus
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.viewer import SYSTEM, Role, Viewer
from segments.clearance.models import Clearance
from segments.clearance.queries import cleared_on
from segments.clearance.rules import Grant, cleared, expiry, needed_level
from segments.clearance.service import record_clearance, revoke_clearance
from tests.factories import Make

DAY = date(2026, 9, 15)


def test_the_activity_decides_the_level() -> None:
    assert needed_level("no_pupils") == 0
    assert needed_level("supervised") == 2
    assert needed_level("supervised", "virtual") == 1
    assert needed_level("unsupervised") == needed_level("unsupervised", "virtual") == 3
    assert needed_level("something new") == 3


def test_a_leap_day_clearance_holds_two_full_years() -> None:
    assert expiry(2, date(2024, 2, 29)) == date(2026, 3, 1)
    assert expiry(2, date(2024, 9, 1)) == date(2026, 9, 1)


days = st.integers(-40, 40).map(lambda n: DAY + timedelta(days=n))


@st.composite
def grants(draw: Any, schools: tuple[int, ...]) -> Grant:
    granted = draw(days)
    return Grant(
        level=draw(st.integers(1, 3)),
        granted_on=granted,
        expires_on=granted + timedelta(days=draw(st.integers(1, 40))),
        revoked_on=draw(st.none() | days),
        school_id=draw(st.sampled_from((None, *schools))),
    )


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_sql_and_rules_agree_on_any_calendar(data: Any, session: Session, make: Make) -> None:
    with session.begin_nested() as undo:
        schools = make.school().id, make.school().id
        person = make.alumnus()
        held = data.draw(st.lists(grants(schools), max_size=5))
        for grant in held:
            session.add(
                Clearance(
                    alumnus_id=person.id, level=grant.level, granted_on=grant.granted_on,
                    expires_on=grant.expires_on, revoked_on=grant.revoked_on,
                    school_id=grant.school_id, recorded_at=make.at,
                )
            )  # fmt: skip
        session.flush()
        level, on = data.draw(st.integers(0, 3)), data.draw(days)
        school = data.draw(st.sampled_from(schools))
        said = session.scalar(
            select(Alumnus.id).where(Alumnus.id == person.id, cleared_on(level, on, school))
        )
        assert (said is not None) == cleared(held, level=level, on=on, school_id=school)
        undo.rollback()


def test_recording_keeps_who_and_for_how_long(session: Session, make: Make) -> None:
    person = make.alumnus()
    clearance = record_clearance(session, person.id, level=2, granted_on=DAY, by=SYSTEM, at=make.at)
    assert clearance.expires_on == date(2028, 9, 15)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.object_id == str(person.id))).one()
    assert entry.action == "clearance.recorded"
    revoke_clearance(session, clearance, by=SYSTEM, at=make.at)
    assert clearance.revoked_on == DAY
    with pytest.raises(Conflict):
        revoke_clearance(session, clearance, by=SYSTEM, at=make.at)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"level": 4}, "level"),
        ({"granted_on": DAY + timedelta(days=2)}, "granted_on"),
        ({"expires_on": DAY}, "expires_on"),
        ({"expires_on": DAY + timedelta(days=800)}, "expires_on"),
    ],
)
def test_impossible_clearances_are_refused(
    session: Session, make: Make, values: dict[str, Any], field: str
) -> None:
    values = {"level": 2, "granted_on": DAY, **values}
    with pytest.raises(Invalid) as refusal:
        record_clearance(session, make.alumnus().id, **values, by=SYSTEM, at=make.at)
    assert refusal.value.field == field


def test_a_liaison_records_for_their_own_schools_only(session: Session, make: Make) -> None:
    ours, theirs = make.school(), make.school()
    liaison = Viewer(user_id=None, role=Role.LIAISON, school_ids=frozenset({ours.id}))
    person = make.alumnus(school=ours)
    values: dict[str, Any] = {"level": 2, "granted_on": DAY, "by": liaison, "at": make.at}
    record_clearance(session, person.id, school_id=ours.id, **values)
    for school_id in (None, theirs.id):
        with pytest.raises(NotAllowed):
            record_clearance(session, person.id, school_id=school_id, **values)


def test_the_office_records_and_revokes_on_the_page(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    person = make.alumnus()
    address = f"/people/{person.id}/clearance"
    form = {"level": "2", "granted_on": "2026-09-01", "school_id": "0", "proof": "Seen in person"}
    answer = coordinator.post(address, data=form)
    assert answer.status_code == 303
    clearance = session.scalars(select(Clearance)).one()
    assert (clearance.level, clearance.proof) == (2, "Seen in person")
    assert coordinator.post(f"{address}/{clearance.id}/revoke").status_code == 303
    session.refresh(clearance)
    assert clearance.revoked_on == DAY
    assert coordinator.post(f"{address}/{2**70}/revoke").status_code == 404
    assert coordinator.post(address, data={"level": "9"}).status_code == 422


def test_school_staff_cannot_record_clearance(login_as: Any, session: Session, make: Make) -> None:
    school = make.school()
    person = make.alumnus(school=school)
    browser = login_as(make.user(Role.SCHOOL, school=school))
    form = {"level": "2", "granted_on": "2026-09-01", "school_id": str(school.id)}
    assert browser.post(f"/people/{person.id}/clearance", data=form).status_code == 403
    assert session.scalars(select(Clearance)).all() == []
