"""The page behind an invitation, and a ticket at the door."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.core import clock
from crm.core.viewer import SYSTEM
from crm.events import service
from crm.events.answers import Reply, respond
from crm.events.models import Answer, Invitation
from crm.events.plan import plan_of
from crm.interactions.models import Interaction
from crm.links.service import revoke_links
from crm.mail.models import Message
from tests.crm.events.conftest import Planned, invitation, invited, page_of, ticket_of
from tests.crm.events.soon import soon
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


def follow(browser: FlaskClient, address: str) -> str:
    return browser.post(address, follow_redirects=True).text
