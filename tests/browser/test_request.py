"""A teacher asks, an alumnus says yes on a phone, both are told, and thanks follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.viewer import Role
from crm.mail.models import MailboxItem, MessageAttachment
from crm.schools.models import School
from segments.asks.models import Commitment
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, code_in, letters, link_in, post, press
from tests.factories import Make
from tests.segments.story import clear, day_ahead

TITLE = "Speak to a class: Health and medicine"


@dataclass
class Cast:
    """Who plays: a teacher, two nurses, and the coordinator."""

    school: School
    teacher: User
    coordinator: User
    ada: Alumnus
    ben: Alumnus


def gather(made: Make) -> Cast:
    school = made.school("Juniper Middle School", city="Atlanta")
    teacher = made.user(Role.SCHOOL, school=school, email="teacher@juniper.example", name="Kim")
    people = [
        made.alumnus(
            name, school=place, email=f"{name.lower()}@juniper-mail.example", ways=("speak",),
            subjects=("health",), class_year=year,
        )
        for name, place, year in (("Ada", school, 2012), ("Ben", made.school(), 1999))
    ]  # fmt: skip
    for person in people:
        clear(made, person)
    cast = Cast(school, teacher, made.user(), *people)
    made.session.commit()
    return cast


def sign_in(site: Site, made: Make, page: Page, email: str) -> None:
    """Sign in by the code in the newest letter."""
    page.goto("/requests/new")
    page.get_by_label("Your work mail address").fill(email)
    press(page, "Mail me a code")
    post(site)
    page.get_by_label("Six-digit code").fill("000000x")
    press(page, "Sign in")
    expect(page.locator(".invalid-feedback")).to_contain_text("wrong")
    page.get_by_label("Six-digit code").fill(code_in(letters(made.session, email)[-1]))
    press(page, "Sign in")


def post_request(site: Site, page: Page) -> str:
    """Fill in the form of a request; the address of its page."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Post a request")
    assert_fits(page)
    page.get_by_label("About what?").select_option("health")
    page.get_by_label("Date", exact=False).first.fill(day_ahead(site.now, 20).date().isoformat())
    page.get_by_label("Starts at").first.fill("09:00")
    page.get_by_label("Pupils", exact=False).first.fill("28")
    page.get_by_text("Language, title, note").click()
    page.get_by_label("Anything they should know").fill("Room 12")
    press(page, "Post the request")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page.get_by_role("status").first).to_contain_text("posted")
    assert_fits(page)
    return page.url


def ask_both(page: Page, address: str) -> None:
    """Approve, choose the two and send the wave."""
    page.goto(address)
    press(page, "Approve")
    page.get_by_role("link", name="Choose whom to ask").click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("Ada")
    expect(rows.nth(1)).to_contain_text("went to this school (2012)")
    expect(page.locator("main")).not_to_contain_text("@juniper-mail.example")
    assert_fits(page)
    page.get_by_label("Ada Mensah").check()
    page.get_by_label("Ben Mensah").check()
    press(page, "Ask those ticked")
    expect(page.get_by_role("status").first).to_contain_text("2 people are asked")


def say_yes(phone: Page, letter: MailboxItem, artifacts: Path) -> None:
    """Two taps: the link, and the date."""
    phone.goto(link_in(letter, "ask"))
    expect(phone.get_by_role("heading", level=1)).to_contain_text("Juniper Middle School")
    expect(phone.locator("main")).to_contain_text("Room 12")
    assert_fits(phone)
    phone.screenshot(path=artifacts / "ask.png", full_page=True)
    phone.get_by_role("button", name=re.compile("^Yes: ")).first.tap()
    expect(phone.get_by_role("heading", level=1)).to_contain_text("It is settled")
    assert_fits(phone)
    with phone.expect_download() as download:
        phone.get_by_role("link", name="Put it into my calendar").tap()
    assert "BEGIN:VEVENT" in download.value.path().read_text()


def files_of(made: Make, letter: MailboxItem) -> list[bytes]:
    """What is attached to a letter."""
    statement = select(MessageAttachment.body).where(
        MessageAttachment.message_id == letter.message_id
    )
    return list(made.session.scalars(statement))


def test_a_teacher_asks_and_an_alumnus_comes(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path
) -> None:
    cast = gather(made)
    school = open_page(width=360)
    sign_in(site, made, school, "teacher@juniper.example")
    address = post_request(site, school)
    ask_both(open_page(user_id=cast.coordinator.id), address)
    assert post(site) == 2

    school.reload()
    expect(school.locator("main")).to_contain_text("Asking")
    expect(school.locator("main")).not_to_contain_text("juniper-mail.example")
    school.goto(f"/people/{cast.ada.id}")
    expect(school.locator("main")).to_contain_text("once this person has said yes")
    expect(school.locator("main")).not_to_contain_text("juniper-mail.example")

    (letter,) = letters(made.session, "ada@juniper-mail.example")
    assert school.request.get(link_in(letter, "ask")).ok
    mine = select(Commitment).where(Commitment.alumnus_id == cast.ada.id)
    assert not made.session.scalars(mine).all(), "looking at an ask answers nothing"
    say_yes(open_page(width=360, touch=True), letter, artifacts)

    # Both are told, with a calendar file; the other is released kindly.
    assert post(site) == 3
    told = [letters(made.session, address)[-1]
            for address in ("ada@juniper-mail.example", "teacher@juniper.example")]  # fmt: skip
    assert all(b"BEGIN:VEVENT" in file for letter in told for file in files_of(made, letter))
    assert [len(files_of(made, letter)) for letter in told] == [1, 1]
    assert len(letters(made.session, "ben@juniper-mail.example")) == 2
    late = open_page(width=360, touch=True)
    late.goto(link_in(letters(made.session, "ben@juniper-mail.example")[0], "ask"))
    expect(late.get_by_role("heading", level=1)).to_have_text("The place is taken")

    school.goto(address)
    expect(school.locator("main")).to_contain_text("ada@juniper-mail.example")
    expect(school.locator("main")).not_to_contain_text("ben@juniper-mail.example")
    expect(school.locator("main")).not_to_contain_text("Did they come?")
    assert_fits(school)

    site.now = day_ahead(site.now, 20) + timedelta(hours=3)
    again = open_page(user_id=cast.teacher.id, width=360)
    again.goto(address)
    again.get_by_label("Hours").fill("1.5")
    again.get_by_label("Pupils reached").fill("27")
    again.get_by_label("A word for them").fill("They loved it")
    assert_fits(again)
    press(again, "Save and thank them")
    expect(again.locator("main")).to_contain_text("pupils: 27")
    expect(again.locator("main")).to_contain_text("thanks are on their way")
    assert post(site) == 1
    again.reload()
    expect(again.locator("main")).to_contain_text("pupils: 27 · thanked")
    thanks = letters(made.session, "ada@juniper-mail.example")[-1]
    assert "They loved it" in " ".join(thanks.substitutions.values())
