"""Waiting for days of the calendar, through the settings page and the tick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, StepRun
from tests.factories import Make
from tests.lifecycle.engine.conftest import District

DAY = timedelta(days=1)
HEAD = "journey: till\nname: Till\nserves: A goal\nenter: class:2026\nsteps:\n"
DAYS = {
    "terms": "Fall 2026: 2026-08-03 – 2026-12-18\nSpring: 2027-01-05 to 2027-05-28",
    "breaks": "Thanksgiving: 2026-11-23 – 2026-11-27", "days": "homecoming: 2026-10-16",
}  # fmt: skip


def till(day: str, more: str = "") -> str:
    return f"{HEAD}  - {{id: rest, wait_until: {day}{more}}}\n  - {{id: end, exit: done}}\n"


def publish(session: Session, text: str, at: datetime) -> None:
    service.publish(session, text, name="x.yaml", by=SYSTEM, at=at)
    session.commit()


def wakes(session: Session) -> dict[int, datetime]:
    session.expire_all()
    return dict(session.execute(select(Enrollment.alumnus_id, Enrollment.wake_at)).all())


def test_each_waits_until_the_hour_where_they_live(
    session: Session, make: Make, now: datetime
) -> None:
    office = make.alumnus(class_year=2026)
    west = make.alumnus(class_year=2026, time_zone="America/Los_Angeles")
    odd = make.alumnus(class_year=2026, time_zone="Nowhere/Land")
    publish(session, till("monday", ", at: 10:30"), now)
    report = advance(now)
    assert (report.entered, report.stepped) == (3, 0)
    east = datetime(2026, 9, 21, 14, 30, tzinfo=UTC)
    assert wakes(session) == {office.id: east, odd.id: east, west.id: east + timedelta(hours=3)}
    assert advance(now + DAY).stepped == 0
    advance(east)
    runs = select(Enrollment.alumnus_id, StepRun.outcome).join(
        Enrollment, Enrollment.id == StepRun.enrollment_id
    )
    assert {i for i, _ in session.execute(runs)} == {office.id, odd.id}
    advance(east + timedelta(hours=3))
    ended = select(Enrollment.id).where(Enrollment.state == "ended")
    assert len(session.scalars(ended).all()) == 3


def test_a_day_that_moves_moves_those_who_wait_for_it(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2026)
    saved = coordinator.post("/settings/school-calendar", data=DAYS, follow_redirects=True)
    assert "Journeys keep to it from now on" in saved.text
    assert "Spring: 2027-01-05 – 2027-05-28" in saved.text
    publish(session, till("3d before homecoming"), now)
    advance(now)
    assert wakes(session) == {person.id: datetime(2026, 10, 13, 13, tzinfo=UTC)}
    moved = {**DAYS, "days": "homecoming: 2026-10-23"}
    coordinator.post("/settings/school-calendar", data=moved)
    advance(now + DAY)
    assert wakes(session) == {person.id: datetime(2026, 10, 20, 13, tzinfo=UTC)}
    coordinator.post("/settings/school-calendar", data={**DAYS, "days": ""})
    advance(now + 2 * DAY)
    assert wakes(session) == {person.id: now + 400 * DAY}


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("homecomming", "has no “homecomming” ahead; did you mean homecoming?"),
        ("graduation", "add it under Settings, School calendar"),
        ("2020-01-01", "has no “2020-01-01” ahead"),
        ("first noon of term", "wait_until: write a day such as monday"),
        ("'monday', at: '25:00'", "at: write a time of day such as 09:00"),
    ],
)
def test_a_day_that_never_comes_is_refused_with_its_step(
    coordinator: FlaskClient, day: str, said: str
) -> None:
    coordinator.post("/settings/school-calendar", data=DAYS)
    answer = coordinator.post("/journeys/check", data={"text": till(day)})
    assert answer.status_code == 422
    assert "journey.yaml:6: step rest: " in answer.text
    assert said in answer.text


@pytest.mark.parametrize(
    "line", ["Fall: 2026-12-18 – 2026-08-03", "Fall 2026", "x: 2026-02-30 – 1"]
)
def test_lines_that_are_no_days_are_named_and_nothing_is_saved(
    coordinator: FlaskClient, line: str
) -> None:
    answer = coordinator.post(
        "/settings/school-calendar", data={"terms": f"A: 2026-01-01 – 2026-02-01\n{line}"}
    )
    assert answer.status_code == 422
    assert f"Line 2, “{line}”" in answer.text


def test_two_ticks_at_one_moment_pass_each_person_once(district: District) -> None:
    when = datetime(2026, 9, 15, 15, tzinfo=UTC)
    district.publish(till("monday"), at=when)
    district.people(300)
    monday = datetime(2026, 9, 21, 13, tzinfo=UTC)
    for moment in (when, when, monday, monday):
        district.tick(moment)
    assert district.value("select count(*) from step_run") == 600
    assert district.value("select count(*) from enrollment where state = 'ended'") == 300
