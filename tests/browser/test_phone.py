"""Long pages on a phone: rows of two lines, sections that open by a tap, nothing lost elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from crm.core.database import db
from crm.core.viewer import Role
from tests.factories import Make

HEIGHT = "document.documentElement.scrollHeight"


@pytest.fixture
def coordinator(made: Make) -> int:
    """The id of a coordinator's account."""
    user = made.user(Role.COORDINATOR)
    db.session.commit()
    return user.id


@pytest.fixture
def somebody(made: Make) -> int:
    """The id of a person of whom something is known."""
    person = made.alumnus("Ottoline", "Longpage", school=made.school(), class_year=2010)
    for days in range(1, 9):
        made.interaction(person, "replied", days_ago=days)
    db.session.commit()
    return person.id


def test_a_page_of_people_is_short_on_a_phone(
    made: Make, coordinator: int, open_page: Callable[..., Page]
) -> None:
    school = made.school(name="Ida Fairbrook High School of Science")
    for n in range(50):
        made.alumnus(f"Row{n}", "Compactlist", school=school, city="Cedar Valley", class_year=2001)
    db.session.commit()
    page = open_page(user_id=coordinator, width=360, javascript=False)
    page.goto("/people?q=compactlist")
    assert page.locator("#results tbody tr").count() == 50
    assert page.evaluate(HEIGHT) < 3_500
    page.locator("#results tbody tr").first.get_by_text("2001").click(force=True)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Compactlist")


def test_a_person_is_short_on_a_phone_and_whole_on_a_desk_and_on_paper(
    coordinator: int, somebody: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_id=coordinator, width=360, javascript=False)
    page.goto(f"/people/{somebody}")
    assert page.evaluate(HEIGHT) < 3_000
    record, number = page.locator(".hc-fold", has_text="Our number").last, page.get_by_text("Added")
    expect(number).not_to_be_visible()
    expect(page.get_by_text("What may be sent")).to_be_visible()
    record.locator("summary").click()
    expect(number).to_be_visible()
    expect(page.locator(".hc-timeline").first.locator("li")).to_have_count(4)
    page.reload()
    page.emulate_media(media="print")
    expect(number).to_be_visible()
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(number).to_be_visible()
    expect(page.get_by_text("4 more before that")).not_to_be_visible()
    assert page.locator(".hc-timeline li:visible").count() == 8
