"""The journey pages, from an empty list to a report, through their addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.viewer import Role
from crm.mail.models import Message, MessageState
from lifecycle.engine.service import advance
from lifecycle.journeys.models import Enrollment, EnrollmentState, Journey, JourneyVersion
from tests.factories import Make

ROOT = Path(__file__).resolve().parents[3]
WELCOME = (ROOT / "journeys/welcome.yaml").read_text()
DAY = timedelta(days=1)


def publish(browser: FlaskClient, text: str = WELCOME) -> None:
    answer = browser.post("/journeys/publish", data={"text": text})
    assert answer.status_code == 303, answer.text


def test_from_an_empty_list_to_a_live_journey(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2026)
    advance(now)
    assert "No journey yet" in coordinator.get("/journeys/").text
    assert "journey: welcome" in coordinator.get("/journeys/new?start=welcome").text
    checked = coordinator.post("/journeys/check", data={"text": WELCOME})
    assert "1 person would enter now" in checked.text
    assert session.scalars(select(Journey)).all() == []
    publish(coordinator)
    advance(now)
    page = coordinator.get("/journeys/welcome").text
    assert "0 sent + 0 not sent + 1 waiting = 1" in page
    assert "1 person here" in page
    assert "Welcome after graduation" in coordinator.get("/journeys/").text
    assert coordinator.get("/journeys/welcome/source").text.strip() == WELCOME.strip()
    people = coordinator.get("/journeys/welcome/people?step=answered").text
    assert "Ada Mensah" in people


def test_a_report_names_every_reason(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    for _ in range(3):
        make.alumnus(class_year=2026)
    publish(coordinator)
    advance(now)
    one, two, _ = session.scalars(select(Message).order_by(Message.key)).all()
    one.state, one.accepted_at = MessageState.ACCEPTED, now
    two.state, two.reason = MessageState.SKIPPED, "consent_withdrawn"
    session.commit()
    page = coordinator.get("/journeys/welcome").text
    assert "1 sent + 1 not sent + 1 waiting = 3" in page
    assert "1 × they asked not to get mail about this topic" in page


def test_every_fault_is_named_with_its_line(coordinator: FlaskClient, session: Session) -> None:
    text = WELCOME.replace("max: 14d", "").replace("topic: volunteering", "topic: gossip")
    text = text.replace("phase:new_graduate", "phaze:new_graduate")
    answer = coordinator.post("/journeys/check", data={"text": text})
    assert answer.status_code == 422
    assert "journey.yaml:20: step answered" in answer.text
    text = text.replace("wait_for: profile_updated", "wait_for: profile_updated\n    max: 3d")
    answer = coordinator.post("/journeys/publish", data={"text": text})
    assert "step help: there is no topic “gossip”" in answer.text
    assert "There is no field “phaze”. Did you mean phase:?" in answer.text
    assert session.scalars(select(JourneyVersion)).all() == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x00\xff\xfe", b"a: [", b"- 1", b"[" * 90_000, b"{" * 90_000, b"- " * 45_000,
        b"? " * 45_000, b"a: " * 30_000, b"- a\n" * 24_000, b"!" * 90_000, b"'" * 90_000,
        b"#" * 99_000, b"a: &x [*x]", b"x: !!python/none ''", b"journey: " + b"9" * 200_000,
        b"journey: 2026-01-01\nsteps: {}", b"steps: [1, [], {}]", b"? [a, b]\n: c",
        b"enter: {when: 7}\nsteps: [{id: [], send: {}}, {id: 1, wait: 999999999999999999999d}]",
        "journey: \ud800".encode("utf-8", "surrogatepass"),
    ],
)  # fmt: skip
def test_no_file_breaks_the_page(coordinator: FlaskClient, raw: bytes) -> None:
    upload = {"file": (BytesIO(raw), "odd.yaml"), "text": ""}
    answer = coordinator.post("/journeys/check", data=upload)
    assert answer.status_code == 422
    assert "to put right" in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/journeys/nothing", "/journeys/welcome?version=9",
        "/journeys/welcome/people?step=nowhere", "/journeys/welcome/source?version=x",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(coordinator: FlaskClient, address: str) -> None:
    publish(coordinator)
    assert coordinator.get(address).status_code == 404


def test_pause_resume_and_stop(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2026)
    publish(coordinator)
    advance(now)
    coordinator.post("/journeys/welcome/pause")
    make.alumnus(class_year=2026)
    assert advance(now + 30 * DAY).stepped == 0
    coordinator.post("/journeys/welcome/resume")
    resumed = advance(now + 31 * DAY)
    assert (resumed.entered, resumed.stepped) == (1, 3)
    answer = coordinator.post("/journeys/welcome/stop", follow_redirects=True)
    assert "Stopped" in answer.text
    assert advance(now + 32 * DAY).ended == 2
    states = session.scalars(select(Enrollment.state)).all()
    assert states == [EnrollmentState.ENDED] * 2
    again = coordinator.post("/journeys/welcome/pause", follow_redirects=True)
    assert "is stopped already" in again.text


def test_a_liaison_sees_only_their_own_people_and_changes_nothing(
    login_as: Callable[[User], FlaskClient], make: Make, now: datetime, coordinator: FlaskClient
) -> None:
    school = make.school("Mays")
    make.alumnus("Near", class_year=2026, school=school)
    make.alumnus("Far", class_year=2026)
    publish(coordinator)
    advance(now)
    liaison = login_as(make.user(Role.LIAISON, school=school))
    page = liaison.get("/journeys/welcome").text
    assert "1 person here" in page
    assert "0 sent + 0 not sent + 1 waiting = 1" in page
    people = liaison.get("/journeys/welcome/people?step=answered").text
    assert "Near" in people
    assert "Far" not in people
    assert liaison.post("/journeys/welcome/stop").status_code == 403
    teacher = login_as(make.user(Role.SCHOOL, school=school))
    assert teacher.get("/journeys/").status_code == 403


def test_the_person_page_tells_the_way_and_why(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2026)
    publish(coordinator)
    advance(now)
    message = session.scalars(select(Message)).one()
    message.state, message.reason = MessageState.SKIPPED, "contact_budget"
    session.commit()
    advance(now + 14 * DAY)
    page = coordinator.get(f"/people/{person.id}").text
    assert "Phase New graduate: graduation on June 1, 2026." in page
    assert "nothing that counts has happened yet" in page
    assert "It was not sent: they already got as much mail" in page
    assert "Nothing within 14d" in page


def test_the_home_page_shows_the_map(coordinator: FlaskClient, make: Make, now: datetime) -> None:
    make.interaction(make.alumnus(class_year=2010))
    advance(now)
    page = coordinator.get("/").text
    assert "People by phase of life and stage of engagement" in page
    assert "/people?q=phase%3Aestablished+stage%3Aaware" in page.replace("&amp;", "&")
