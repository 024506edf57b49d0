"""The pages of events for staff: at the door, within their scope, from plan to thanks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.core import clock
from crm.core.viewer import Role
from crm.events.models import Answer, Event, EventState, Invitation
from crm.links.tokens import issue
from crm.mail.models import Message
from tests.crm.events.conftest import Planned, invitation, invited
from tests.crm.events.soon import soon
from tests.factories import Make


def test_somebody_who_was_not_invited_walks_in_by_name_and_leaves_no_trace_when_undone(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient
) -> None:
    event, omar = planned(**soon(make)), make.alumnus("Omar", "Haddad")
    with clock.at(event.starts_at):
        shown = coordinator.get(f"/events/{event.key}/door?q=omar").text
        assert "Walks in" in shown
        coordinator.post(f"/events/{event.key}/door/{omar.id}")
        mine = invitation(session, event, omar)
        assert (mine.invited_at, mine.answer) == (None, Answer.NONE)
        assert "1 of 1 are here" in coordinator.get(f"/events/{event.key}/door/counts").text
        coordinator.post(f"/events/{event.key}/door/{omar.id}/undo")
    assert session.scalars(select(Invitation)).all() == []


def test_a_school_sees_its_own_events_and_a_liaison_those_of_the_cluster(
    session: Session, make: Make, planned: Planned, login_as: Callable[[User], FlaskClient]
) -> None:
    cluster = make.cluster()
    lincoln, feeder = make.school(cluster=cluster), make.school(cluster=cluster)
    events = {
        "own": planned(school_id=lincoln.id), "sister": planned(school_id=feeder.id),
        "cluster": planned(cluster_id=cluster.id), "district": planned(),
    }  # fmt: skip
    seen = {
        Role.SCHOOL: {"own"},
        Role.LIAISON: {"own", "sister", "cluster"},
        Role.COORDINATOR: set(events),
    }
    users = {
        Role.SCHOOL: make.user(Role.SCHOOL, school=lincoln),
        Role.LIAISON: make.user(Role.LIAISON, cluster=cluster),
        Role.COORDINATOR: make.user(),
    }
    for role, names in seen.items():
        browser = login_as(users[role])
        listed = browser.get("/events").text
        for name, event in events.items():
            expected = 200 if name in names else 404
            for page in ("", "/people", "/mail", "/report", "/door"):
                answer = browser.get(f"/events/{event.key}{page}")
                assert answer.status_code == expected, (role, name, page)
            assert (f'/events/{event.key}"' in listed) == (name in names)


def test_a_school_sees_no_blocked_person_on_its_list(
    session: Session, make: Make, planned: Planned, login_as: Callable[[User], FlaskClient]
) -> None:
    school = make.school()
    event = planned(school_id=school.id, **soon(make))
    hidden = make.alumnus("Blocked", school=school, ferpa_block=True)
    invited(session, make, event, hidden, make.alumnus("Seen", school=school))
    browser = login_as(make.user(Role.SCHOOL, school=school))
    shown = browser.get(f"/events/{event.key}/people").text
    assert "Seen" in shown
    assert "Blocked" not in shown
    with clock.at(event.starts_at):
        answer = browser.post(f"/events/{event.key}/door/{hidden.id}")
    assert answer.status_code == 404


def test_an_event_is_planned_changed_opened_and_thanked_for_on_its_pages(
    session: Session, make: Make, coordinator: FlaskClient
) -> None:
    day = make.at.date().isoformat()
    plan = {
        "title_en": "Career night", "kind": "talk", "place_for": "", "day": day, "starts": "18:00",
        "ends": "20:00", "time_zone": "America/New_York", "place": "Library", "capacity": "30",
        "guests_allowed": "1", "reminders": "7, 1",
    }  # fmt: skip
    made = coordinator.post("/events/new", data=plan)
    assert made.status_code == 303
    assert made.headers["Location"] == "/events/career-night"
    wrong = coordinator.post("/events/new", data={**plan, "place": "", "title_en": ""})
    assert wrong.status_code == 422
    coordinator.post("/events/career-night/state", data={"verb": "open"})
    ada = make.alumnus("Ada", class_year=1999)
    seen = coordinator.get("/events/career-night/invite?query=class:1999").text
    assert "Invite 1 person" in seen
    coordinator.post("/events/career-night/invite", data={"query": "class:1999"})
    bad = coordinator.post("/events/career-night/invite", data={"query": "clas:1999"})
    assert bad.status_code == 422
    coordinator.post("/events/career-night/edit", data={**plan, "starts": "17:00"})
    assert "Tell them" in coordinator.get("/events/career-night").text
    event = session.scalars(select(Event)).one()
    with clock.at(event.starts_at):
        coordinator.post(f"/events/career-night/door/{ada.id}")
    with clock.at(event.ends_at):
        coordinator.post("/events/career-night/state", data={"verb": "hold"})
        for _ in range(2):
            coordinator.post("/events/career-night/state", data={"verb": "thank"})
    thanked = select(func.count()).where(Message.origin == "event:career-night/thanks")
    assert session.scalar(thanked) == 1
    session.refresh(event)
    assert event.state is EventState.HELD
    assert "1990–1999" in coordinator.get("/events/career-night/report").text
    file = coordinator.post("/events/career-night/report.csv").text
    assert "Ada Mensah" in file
    changes = session.scalars(select(AuditEntry.action).where(AuditEntry.object_kind == "event"))
    assert {"event.created", "event.changed", "event.open", "event.invited"} <= set(changes)


@pytest.mark.parametrize("verb", ["open", "tell", "hold", "thank", "nonsense"])
def test_a_verb_whose_time_is_not_now_is_refused(
    make: Make, planned: Planned, coordinator: FlaskClient, verb: str
) -> None:
    event = planned()
    answer = coordinator.post(f"/events/{event.key}/state", data={"verb": verb})
    assert answer.status_code in {302, 303, 409, 422}
    assert event.state is EventState.OPEN


def test_a_persons_page_and_their_own_page_list_their_events(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient
) -> None:
    event, rosa = planned(), make.alumnus("Rosa")
    invited(session, make, event, rosa)
    assert "Class reunion" in coordinator.get(f"/people/{rosa.id}").text
    token = issue("profile", alumnus_id=rosa.id, epoch=0, at=make.at)
    own = coordinator.get(f"/me/{token}").text
    assert "You are invited" in own
    assert "/event/" in own
