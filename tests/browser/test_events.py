"""A reunion from the invitation to the timeline: the office, an alumnus on a phone, the door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.alumni.models import Alumnus
from crm.events.letters import page_address
from crm.events.models import Event, Invitation
from crm.interactions.models import Interaction
from tests.browser.conftest import Site
from tests.browser.steps import (
    assert_fits,
    letters,
    link_in,
    post,
    press,
    press_and_agree,
)
from tests.conftest import TODAY
from tests.factories import Make


def plan(page: Page, title: str) -> None:
    """Plan a reunion for the evening, open it, and invite the class of 1987."""
    page.goto("/events/new")
    page.get_by_label("Title in English").fill(title)
    page.get_by_label("Day", exact=False).first.fill(TODAY.date().isoformat())
    page.get_by_label("Starts at").fill("18:00")
    page.get_by_label("Ends at").fill("22:00")
    page.get_by_label("Place", exact=True).fill("The old gym")
    page.get_by_label("Guests for each person").fill("2")
    press(page, "Save")
    press(page, "Open it for answers")
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("Audience").fill("class:1987")
    press(page, "See whom that means")
    press_and_agree(page, "Invite 1 person")
    expect(page.get_by_text("1 person is invited.")).to_be_visible()


def test_a_reunion_from_the_invitation_to_the_timeline(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path
) -> None:
    office = made.user()
    rosa = made.alumnus("Rosa", "Delgado", class_year=1987, email="reunion@mail.example")
    made.session.commit()
    desk = open_page(user_id=office.id)
    post(site)  # whatever other stories left
    plan(desk, "Reunion of 1987")
    assert post(site) == 1
    (letter,) = letters(made.session, "reunion@mail.example")

    phone = open_page(width=360, javascript=False)
    phone.goto(link_in(letter, "event"))
    assert_fits(phone)
    phone.screenshot(path=artifacts / "event-invitation.png", full_page=True)
    phone.get_by_label("Guests with you").select_option("2")
    press(phone, "Yes, I am coming")
    expect(phone.get_by_text("You are coming.", exact=True)).to_be_visible()
    expect(phone.locator("svg.hc-scan")).to_be_visible()
    assert_fits(phone)
    phone.screenshot(path=artifacts / "event-ticket.png", full_page=True)

    ticket = code_of(made, rosa.id)
    stranger = open_page(width=360)
    stranger.goto(ticket)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("This is a ticket")
    expect(stranger.get_by_text("Rosa")).to_have_count(0)

    site.now = TODAY + timedelta(hours=7)
    door = open_page(user_id=office.id, width=360, touch=True)
    door.goto(ticket)
    expect(door.get_by_role("heading", level=1)).to_have_text("Rosa Delgado")
    assert_fits(door)
    press(door, "Check in Rosa Delgado (+ 2)")
    expect(door.get_by_text("Rosa Delgado is checked in.")).to_be_visible()
    assert_fits(door)
    desk.goto(f"/people/{rosa.id}")
    expect(desk.get_by_text("Came to an event").first).to_be_visible()

    door.goto(door.url + "?group=came")
    press(door, "Undo Rosa Delgado")
    made.session.rollback()
    came = select(Interaction).filter_by(alumnus_id=rosa.id, kind="event_attended")
    assert made.session.scalars(came).all() == []


def code_of(made: Make, alumnus_id: int) -> str:
    """The path that a person's ticket leads to, as their page draws it."""
    made.session.rollback()
    mine = made.session.scalars(select(Invitation).where(Invitation.alumnus_id == alumnus_id)).one()
    event = made.session.get_one(Event, mine.event_id)
    person = made.session.get_one(Alumnus, alumnus_id)
    return page_address(event, person, at=made.at, purpose="check-in")
