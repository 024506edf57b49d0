"""A coordinator sets up a second factor on a phone, signs in with it, and loses the phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import Page, expect

from crm.accounts.models import User
from crm.accounts.signin import sign_in_link
from crm.core import clock
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, press
from tests.factories import Make


def sign_in(site: Site, made: Make, page: Page, user: User) -> None:
    """Open a fresh sign-in link and press its button."""
    with clock.at(site.now):
        link = sign_in_link(made.session, user, at=site.now)
        made.session.commit()
    page.goto(link)
    press(page, "Sign in")


def code_now(site: Site, secret: str) -> str:
    return pyotp.TOTP(secret).at(int(site.now.timestamp()))


@pytest.mark.parametrize("javascript", [True, False])
def test_the_second_factor_from_set_up_to_the_lost_phone(
    site: Site, made: Make, open_page: Callable[..., Page], javascript: bool
) -> None:
    user = made.user(name="Ada Coordinator")
    made.session.commit()
    page = open_page(width=360, javascript=javascript, dark=not javascript)
    sign_in(site, made, page, user)
    page.goto("/settings")
    page.locator("main").get_by_role("link", name="Set it up").click()
    press(page, "Set it up")
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    assert_fits(page)
    secret = page.locator(".hc-key").inner_text().replace(" ", "")
    code = page.get_by_role("textbox", name="Code")
    code.fill("000000")
    press(page, "Turn it on")
    expect(page.locator("main")).to_contain_text("This code is wrong")
    code.fill(code_now(site, secret))
    press(page, "Turn it on")
    codes = page.locator(".hc-codes code").all_inner_texts()
    assert len(codes) == 10
    assert_fits(page)

    site.now += timedelta(minutes=20)
    sign_in(site, made, page, user)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    assert_fits(page)
    page.goto("/people")
    expect(page).to_have_url(f"{site.url}/sign-in?next=/people")
    page.goto("/sign-in/factor")
    code.fill(code_now(site, secret))
    press(page, "Go on")
    expect(page).to_have_url(f"{site.url}/")

    site.now += timedelta(minutes=20)
    page.goto("/settings/users/invite")
    expect(page.locator("main")).to_contain_text("Show once more that it is you")
    code.fill(codes[0])
    press(page, "Go on")
    expect(page.get_by_role("heading", name="Invite somebody")).to_be_visible()
    page.goto("/settings/second-factor")
    expect(page.locator("main")).to_contain_text("9 of them are unused")
