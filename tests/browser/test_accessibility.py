"""Every page by axe's rules of WCAG 2.2 AA, wide, on a phone and in the dark; and by keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Error, Page, expect

from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Role
from tests.browser.conftest import Site
from tests.conftest import TODAY
from tests.factories import Make
from tests.rules.district import District, addresses, seed
from tests.rules.test_pages import LETTERS, PIECES

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL = {"type": "tag", "values": TAGS}
LOOKS = {
    "type": "rule",
    "values": ["color-contrast", "link-in-text-block", "scrollable-region-focusable",
               "target-size", "aria-hidden-focus"],
}  # fmt: skip
"""What can differ between two looks of the same document."""
LOOK = "axe.run(document, {runOnly: %s, resultTypes: ['violations'], preload: false})"
"""The browser's debugger runs this, which the pages' own policy would not let them do."""
OPEN = "document.querySelectorAll('main details').forEach(one => one.open = true)"
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="session")
def district(site: Site) -> District:
    """One of everything, on the site's database; neither its app nor its clock stays open."""
    with site.app.app_context(), clock.at(TODAY):
        district = seed(Make(db.session(), TODAY))
        db.session.commit()
        for user in district.users.values():
            db.session.refresh(user)
        db.session.expunge_all()
    return district


def places(site: Site, district: District, *, public: bool) -> list[str]:
    """The addresses of all pages, files and pieces of pages left out."""
    skipped = LETTERS | PIECES
    found = []
    for rule, address in addresses(site.app, district, "GET"):
        view = site.app.view_functions[rule.endpoint]
        is_public = getattr(view, "access", "public") == "public"
        if is_public == public and rule.endpoint not in skipped:
            found.append(address)
    return found


def faults_on(page: Page, rules: dict[str, object]) -> list[str]:
    """What axe finds on the open page, and whether the page scrolls sideways."""
    wide = page.evaluate(WIDTHS)
    found = page.evaluate(LOOK % json.dumps(rules))["violations"]
    faults = [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found
        for node in fault["nodes"]
    ]
    return faults + ([f"is {wide[0]} px wide on {wide[1]}"] if wide[0] > wide[1] else [])


def check(page: Page, address: str) -> list[str]:
    """The faults of one page, wide and light, on a phone, and in the dark."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    try:
        answer = page.goto(address, wait_until="domcontentloaded")
    except Error as error:
        if "Download is starting" in error.message:
            return []
        raise
    if answer is None or "text/html" not in answer.headers["content-type"]:
        return []
    page.wait_for_load_state()
    page.evaluate(AXE)
    page.evaluate(OPEN)
    faults = [("wide", fault) for fault in faults_on(page, ALL)]
    page.emulate_media(color_scheme="dark")
    faults += [("dark", fault) for fault in faults_on(page, LOOKS)]
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="light")
    faults += [("phone", fault) for fault in faults_on(page, LOOKS)]
    return [f"{address}, {look}: {fault}" for look, fault in faults]


SHARES = [(False, share, 8) for share in range(8)] + [(True, share, 2) for share in range(2)]
"""Staff’s or alumni’s, and which of so many shares of the pages: workers take them side by side."""


@pytest.mark.parametrize(("public", "share", "shares"), SHARES)
def test_every_page_keeps_the_rules_wide_on_a_phone_and_in_the_dark(
    site: Site, district: District, open_page: Callable[..., Page],
    public: bool, share: int, shares: int,
) -> None:  # fmt: skip
    user = None if public else district.users[Role.COORDINATOR].id
    page = open_page(user_id=user)
    site.now = TODAY
    every = places(site, district, public=public)
    assert len(every) > (8 if public else 30)
    faults = [fault for address in every[share::shares] for fault in check(page, address)]
    assert not faults, "\n".join(["", *faults])


FOCUS = """(async () => {
    const element = document.activeElement, style = getComputedStyle(element);
    const ring = parseFloat(style.outlineWidth) > 1 && style.outlineStyle !== 'none';
    let seen = false;
    // The browser glides to what has the focus, which takes some frames.
    for (let frame = 0; frame < 60 && !seen; frame++) {
        const box = element.getBoundingClientRect();
        seen = box.bottom > 0 && box.top < innerHeight;
        if (!seen) await new Promise(requestAnimationFrame);
    }
    return {ring: ring || style.boxShadow !== 'none', seen};
})()"""
FOCUSED = "document.activeElement"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus; each stop on the way must be seen to have it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        look = page.evaluate(FOCUS)
        where = page.evaluate(f"{FOCUSED}.outerHTML.slice(0, 200)")
        assert look["ring"], f"the focus is not seen on {where}"
        assert look["seen"], f"the focus is out of sight on {where}"
        if page.evaluate(f"{FOCUSED}.matches({json.dumps(selector)})"):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def enter(page: Page) -> None:
    """Press Enter on what leads to another page, and wait for it."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_the_skip_link_leads_past_the_navigation(
    site: Site, district: District, open_page: Callable[..., Page]
) -> None:
    site.now = TODAY
    page = open_page(user_id=district.users[Role.COORDINATOR].id)
    page.goto("/people")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "#q")


def test_somebody_is_found_and_edited_by_keyboard_alone(
    site: Site, district: District, open_page: Callable[..., Page]
) -> None:
    site.now = TODAY
    page = open_page(user_id=district.users[Role.COORDINATOR].id)
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("nunez zoe")
    enter(page)
    expect(page.locator("#results")).to_contain_text("1 person")
    tab_to(page, "#results th a")
    enter(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nuñez")
    tab_to(page, "a[href$='/edit']")
    enter(page)
    tab_to(page, "input[name=job_title]")
    page.keyboard.type("Nurse")
    enter(page)
    expect(page.locator("main")).to_contain_text("Nurse")


def test_a_question_takes_the_keyboard_and_gives_it_back(
    site: Site, district: District, open_page: Callable[..., Page]
) -> None:
    site.now = TODAY
    page = open_page(user_id=district.users[Role.COORDINATOR].id)
    page.goto("/campaigns/draft")
    tab_to(page, "form[action$='/delete'] button")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Delete the draft")).to_be_focused()
