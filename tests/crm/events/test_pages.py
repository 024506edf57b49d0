"""The pages: behind a mailed link, at the door, and for staff within their wall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.events import service
from crm.events.answers import Reply, respond
from crm.events.models import Answer, Event, EventState, Invitation
from crm.events.plan import plan_of
from crm.interactions.models import Interaction
from crm.links.service import revoke_links
from crm.links.tokens import issue
from crm.mail.models import Message
from tests.crm.events.conftest import Planned, invitation, invited, page_of, ticket_of
from tests.factories import Make


def counts(session: Session) -> tuple[object, ...]:
    """All that a page behind a link could change."""
    rows = session.execute(
        select(Invitation.answer, Invitation.guests, Invitation.answered_at, Invitation.came_at)
    ).all()
    many = [
        session.scalar(select(func.count()).select_from(table))
        for table in (Message, Interaction, AuditEntry)
    ]
    return (*map(tuple, rows), *many)


def test_an_answer_takes_one_press_and_can_be_changed(
    session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event = planned(guests_allowed=2, virtual_address="https://meet.example/secret")
    rosa = make.alumnus("Rosa", "Delgado", email="rosa@mail.example")
    invited(session, make, event, rosa)
    page = page_of(event, rosa, make)
    shown = client.get(page).text
    assert "Rosa D." in shown
    assert "r•••@mail.example" in shown
    assert "Delgado" not in shown
    assert "meet.example" not in shown, "only those coming see where it is online"
    said = client.post(page, data={"answer": "yes", "guests": "2", "needs": "No nuts"})
    assert said.status_code == 303
    shown = client.get(page).text
    assert "You are coming." in shown
    assert "meet.example/secret" in shown
    assert "<svg" in shown
    mine = invitation(session, event, rosa)
    assert (mine.answer, mine.guests, mine.needs) == (Answer.COMING, 2, "No nuts")
    client.post(page, data={"answer": "no"})
    assert invitation(session, event, rosa).answer is Answer.DECLINED
    assert "You said that you cannot come." in client.get(page).text


def test_the_page_speaks_the_language_of_the_invited(
    session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event, rosa = planned(), make.alumnus("Rosa", language="es")
    invited(session, make, event, rosa)
    shown = client.get(page_of(event, rosa, make)).text
    assert '<html lang="es"' in shown
    assert "Reunión de la clase" in shown
    assert "Sí, iré" in shown


def test_a_scanner_that_fetches_every_address_three_times_changes_nothing(
    app: Flask, session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event, rosa = planned(), make.alumnus("Rosa")
    (mine,) = invited(session, make, event, rosa)
    respond(session, mine.id, Reply("yes"), at=make.at)
    session.commit()
    before = counts(session)
    page = page_of(event, rosa, make)
    for address in (page, f"{page}/event.ics", ticket_of(event, rosa, make)):
        for _ in range(3):
            assert client.get(address).status_code == 200
            assert client.head(address).status_code == 200
        client.get(f"{address}?answer=no")
    session.expire_all()
    assert counts(session) == before


def test_a_link_of_another_purpose_person_or_age_opens_nothing(
    session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event, rosa, stranger = planned(), make.alumnus("Rosa"), make.alumnus("Sam")
    invited(session, make, event, rosa)
    session.commit()
    assert client.get(page_of(event, stranger, make)).status_code == 404
    ticket = ticket_of(event, rosa, make).replace("/check-in/", "/event/")
    assert client.get(ticket).status_code == 404
    page = page_of(event, rosa, make)
    revoke_links(session, rosa, by=None, at=make.at)
    assert client.post(page, data={"answer": "yes"}).status_code == 410
    assert invitation(session, event, rosa).answer is Answer.NONE


def test_the_calendar_file_is_for_who_is_coming_and_counts_its_changes(
    session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event, rosa = planned(), make.alumnus("Rosa")
    (mine,) = invited(session, make, event, rosa)
    session.commit()
    page = page_of(event, rosa, make)
    assert client.get(f"{page}/event.ics").status_code == 404
    client.post(page, data={"answer": "yes"})
    first = client.get(f"{page}/event.ics")
    assert first.mimetype == "text/calendar"
    service.edit(session, event, replace(plan_of(event), place="Cafeteria"), by=SYSTEM, at=make.at)
    second = client.get(f"{page}/event.ics").text
    uid = f"UID:event-{event.id}-{mine.id}@localhost"
    assert uid in first.text
    assert uid in second
    assert "SEQUENCE:0" in first.text
    assert "SEQUENCE:1" in second


def test_a_ticket_tells_a_stranger_nothing_not_even_whether_it_is_one(
    session: Session, make: Make, planned: Planned, client: FlaskClient
) -> None:
    event, rosa = planned(), make.alumnus("Rosa", "Delgado")
    invited(session, make, event, rosa)
    good = ticket_of(event, rosa, make)
    shown = client.get(good)
    assert shown.status_code == 200
    for word in ("Rosa", "Delgado", "Class reunion"):
        assert word not in shown.text
    false = client.get("/check-in/nonsense")
    assert false.text.replace("nonsense", "") == shown.text.replace(good.split("/")[-1], "")


def test_a_ticket_leads_staff_to_one_button_that_records_attendance_and_can_be_undone(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient
) -> None:
    event, rosa = planned(guests_allowed=2, **soon(make, 30)), make.alumnus("Rosa", "Delgado")
    (mine,) = invited(session, make, event, rosa)
    respond(session, mine.id, Reply("yes", 2), at=make.at)
    session.commit()
    ticket = ticket_of(event, rosa, make)
    assert "It is too early" in follow(coordinator, f"/events/{event.key}/door/{rosa.id}")
    with clock.at(event.starts_at):
        assert "Check in Rosa Delgado" in coordinator.get(ticket).text
        for _ in range(2):
            coordinator.post(f"/events/{event.key}/door/{rosa.id}", data={"guests": "1"})
        session.refresh(mine)
        assert (mine.came_at, mine.came_guests) == (event.starts_at, 1)
        answered, deed = session.scalars(select(Interaction).order_by(Interaction.id))
        assert answered.kind == "event_answered"
        assert (deed.kind, deed.mode) == ("event_attended", "experiential")
        assert deed.alumnus_id == rosa.id
        assert "Came to an event" in coordinator.get(f"/people/{rosa.id}").text
        coordinator.post(f"/events/{event.key}/door/{rosa.id}/undo")
    session.refresh(mine)
    assert mine.came_at is None
    assert session.scalars(select(Interaction.kind)).all() == ["event_answered"]


def soon(make: Make, hours: int = 3) -> dict[str, datetime]:
    """When an event takes place that staff go to without signing in anew."""
    starts = make.at + timedelta(hours=hours)
    return {"starts_at": starts, "ends_at": starts + timedelta(hours=2)}


def follow(browser: FlaskClient, address: str) -> str:
    return browser.post(address, follow_redirects=True).text


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
