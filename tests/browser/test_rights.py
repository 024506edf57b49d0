"""My data, on a phone without scripts: the file by a code, being forgotten, the last mail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.links.fields import link_address
from crm.links.tokens import issue
from crm.mail.models import Message
from crm.portal.queries import preferred_email
from crm.web import i18n
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, code_in, letters, post, press
from tests.factories import Make


def own_page(site: Site, person: Alumnus) -> str:
    """The path of a person's own page, as it stands in a letter to their address."""
    point = preferred_email(db.session(), person.id)
    assert point
    with site.app.test_request_context():
        token = issue(
            "profile", alumnus_id=person.id, epoch=person.link_epoch, at=site.now,
            contact_point_id=point.id,
        )  # fmt: skip
        return link_address("profile", token)


def confirm(site: Site, made: Make, page: Page, address: str, button: str) -> None:
    """Type the code that came by mail, and press the button under it."""
    assert post(site) == 1
    assert_fits(page)
    page.get_by_label("code").fill(code_in(letters(made.session, address)[-1]))
    press(page, button)
    assert_fits(page)


def test_somebody_takes_their_data_along_and_is_forgotten_by_the_office(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path
) -> None:
    office, address = made.user(), "leaving.zoe@mail.example"
    zoe = made.alumnus("Zoe", "Quillfeather", email=address, employer="Quillfeather Ltd")
    made.session.commit()
    link = own_page(site, zoe)
    phone = open_page(width=360, javascript=False)
    phone.goto(link)
    phone.locator("#leaving > summary").click()
    phone.get_by_role("link", name="My data").click()
    assert_fits(phone)
    press(phone, "Mail me a code for my file")
    confirm(site, made, phone, address, "Make my file")
    with phone.expect_download() as file:
        phone.get_by_role("button", name="For another program (JSON)").click()
    told = json.loads(Path(file.value.path()).read_text())
    assert told["record"]["employer"] == "Quillfeather Ltd"

    phone.goto(link)
    phone.locator("#leaving > summary").click()
    phone.get_by_role("link", name="My data").click()
    press(phone, "Mail me a code to be forgotten")
    confirm(site, made, phone, address, "Forget me")
    expect(phone.get_by_role("heading", level=1)).to_have_text("We have your wish")
    phone.screenshot(path=artifacts / "rights-filed.png", full_page=True)

    desk = open_page(user_id=office.id)
    desk.goto("/settings/data-requests")
    desk.get_by_role("link", name="Look and forget").click()
    desk.get_by_label("Type their name").fill("Zoe Quillfeather")
    press(desk, "Forget this person for good")
    expect(desk.get_by_text("This person is forgotten.")).to_be_visible()
    expect(desk.locator("main")).not_to_contain_text("Quillfeather")

    assert post(site) == 1
    last = letters(made.session, address)[-1]
    assert made.session.get_one(Message, last.message_id).key.startswith("farewell:")
    assert post(site) == 0
    answer = phone.goto(link)
    assert answer
    assert answer.status in {404, 410}
    expect(phone.locator("body")).not_to_contain_text("Zoe")


@pytest.mark.parametrize("width", [360, 1280])
def test_the_own_page_lies_well_from_right_to_left(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path,
    monkeypatch: pytest.MonkeyPatch, width: int,
) -> None:  # fmt: skip
    monkeypatch.setitem(i18n.LANGUAGES, "ar", "العربية")
    rosa = made.alumnus("Rosa", language="ar")
    made.session.commit()
    page = open_page(width=width, javascript=False)
    page.goto(own_page(site, rosa) + "?lang=ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    assert_fits(page)
    box = page.locator("input[name=ways]").first
    label = page.locator(f"label[for='{box.get_attribute('id')}']")
    ours, words = box.bounding_box(), label.bounding_box()
    assert ours
    assert words
    assert ours["x"] >= words["x"] + words["width"], "the box stands before its words"
    page.screenshot(path=artifacts / f"rtl-{width}.png", full_page=True)
