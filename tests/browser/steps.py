"""What the stories in a browser share: letters, links in them, and how a page must lie."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.jobs import jobs
from crm.links.fields import PATHS
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem
from tests.browser.conftest import Site


def post(site: Site) -> int:
    """Deliver what waits, and answer how many letters went."""
    app: Flask = site.app
    with clock.at(site.now):
        return deliver(app, at=site.now).accepted


def letters(session: Session, address: str) -> list[MailboxItem]:
    """The letters that came to an address, oldest first."""
    session.rollback()
    statement = select(MailboxItem).where(MailboxItem.to_address == address)
    return list(session.scalars(statement.order_by(MailboxItem.id)))


def link_in(letter: MailboxItem, purpose: str) -> str:
    """The address of a letter's link."""
    return next(value for value in letter.substitutions.values() if PATHS[purpose] in value)


def assert_fits(page: Page) -> None:
    """The page never scrolls sideways."""
    # Evaluation over the debugging protocol works where the page's own scripts are off.
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{page.url} is {wide[0]} px wide on {wide[1]}"


def run_job(site: Site, key: str, **arguments: Any) -> None:
    """Do a queued job as a worker would."""
    with clock.at(site.now):
        jobs(site.app).run(key, arguments)


def press(page: Page, label: str) -> None:
    """Press the one button of the page's content that is called so, and wait for the answer."""
    with page.expect_navigation():
        page.locator("main").get_by_role("button", name=label, exact=True).click()


def press_and_agree(page: Page, label: str) -> None:
    """Press a button that asks first, and say yes."""
    page.locator("main").get_by_role("button", name=label, exact=True).click()
    with page.expect_navigation():
        page.get_by_role("dialog").get_by_role("button", name="Yes, go on").click()


def code_in(letter: MailboxItem) -> str:
    """The six digits that a letter brings."""
    found = re.search(r"\b\d{6}\b", " ".join(letter.substitutions.values()))
    assert found, letter.substitutions
    return found[0]
