"""Queries by hand and by form: completion by keyboard, the builder and the text, both ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import assert_fits
from tests.factories import Make

FAMILIES = {
    "test_a_query_is_completed_by_keyboard": "Keyling",
    "test_the_builder_reads_a_text_and_writes_it_back": "Readling",
    "test_a_query_is_tried_beside_a_journey": "Triedling",
    "test_the_builder_works_on_a_phone_without_a_script": "Phoneling",
}


@pytest.fixture
def coordinator(made: Make, request: pytest.FixtureRequest) -> int:
    """A coordinator, and three people to find by a family name of each test's own."""
    family = FAMILIES[request.node.name]
    school = made.school(f"{family} High")
    for name, year, ways in (("Abel", 2001, ("mentor",)), ("Bela", 2002, ()), ("Cleo", 2003, ())):
        person = made.alumnus(name, family, school=school, class_year=year, ways=ways)
        if name == "Bela":
            made.interaction(person, "talk_given", school_id=school.id)
    user = made.user()
    made.session.commit()
    return user.id


def test_a_query_is_completed_by_keyboard(coordinator: int, open_page: Callable[..., Page]) -> None:
    page = open_page(user_id=coordinator)
    page.goto("/people")
    box = page.get_by_role("combobox", name="Name or query")
    box.press_sequentially("keyling wa")
    options = page.get_by_role("listbox", name="Suggestions")
    expect(options.get_by_role("option").first).to_contain_text("way:")
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(options.locator("[aria-selected=true]")).to_have_count(1)
    box.press("Enter")
    expect(box).to_have_value("keyling way:")
    box.press_sequentially("ment")
    expect(options).to_contain_text("mentor")
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("keyling way:mentor")
    expect(options).to_be_hidden()
    expect(page.locator("#results")).to_contain_text("1 person")
    expect(page.locator("#results")).to_contain_text("offer this help")
    box.press("Backspace")
    expect(options).to_be_visible()
    box.press("Escape")
    expect(options).to_be_hidden()


def test_the_builder_reads_a_text_and_writes_it_back(
    coordinator: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_id=coordinator)
    page.goto("/people")
    text = "readling (class:2001 or class:2002) -(city:macon or zip:303 -state:GA)"
    page.get_by_label("Name or query").fill(text)
    page.get_by_role("button", name="Build a query").click()
    groups = page.locator("#board fieldset")
    expect(groups).to_have_count(3)
    expect(groups.nth(1).locator("select").first).to_have_value("any")
    expect(groups.nth(2)).to_contain_text("Kept as text")
    found = page.locator("#query-preview")
    expect(found).to_contain_text(text)
    expect(found).to_contain_text("2 people")
    expect(found).to_contain_text("Abel Readling")
    assert_fits(page)

    page.get_by_role("button", name="Add something that happened").click()
    happened = groups.nth(3)
    expect(happened.locator("select").first).to_have_value("did")
    happened.get_by_role("button", name="Add a line").click()
    happened.locator("[id^=field-]").select_option("school")
    happened.get_by_label("Value").fill("Readling High")
    expect(found).to_contain_text('did(school:"Readling High")')
    expect(found).to_contain_text("1 person")
    happened.get_by_label("leave those out").check()
    expect(found).to_contain_text("Abel Readling")
    expect(found).not_to_contain_text("Bela")
    page.reload()
    expect(groups).to_have_count(4)
    page.get_by_role("button", name="Show these people").click()
    expect(page.get_by_label("Name or query")).to_have_value(f'{text} -did(school:"Readling High")')
    expect(page.locator("#results")).to_contain_text("1 person")


def test_the_builder_works_on_a_phone_without_a_script(
    coordinator: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_id=coordinator, width=360, javascript=False)
    page.goto("/people/build?q=phoneling")
    page.get_by_role("button", name="Add a line").click()
    line = page.locator("#board fieldset").first
    line.get_by_label("Field", exact=True).nth(1).select_option("way")
    line.get_by_label("Value").nth(1).fill("mentor")
    line.get_by_label("Is or is not").nth(1).select_option("1")
    assert_fits(page)
    page.get_by_role("button", name="Update").last.click()
    expect(page.locator("#query-preview")).to_contain_text("2 people")
    page.get_by_role("button", name="Show these people").click()
    expect(page.get_by_label("Name or query")).to_have_value("phoneling -way:mentor")


def test_a_query_is_tried_beside_a_journey(
    coordinator: int, open_page: Callable[..., Page]
) -> None:
    page = open_page(user_id=coordinator)
    page.goto("/journeys/new")
    tried = page.get_by_label("Try a query")
    tried.fill("triedling class:2001")
    expect(page.locator("#query-preview")).to_contain_text("1 person")
    tried.fill("clas:2011")
    expect(page.locator("#query-preview")).to_contain_text("Did you mean class:?")
