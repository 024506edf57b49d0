"""An alumnus on a phone: the own page behind a mailed link, a new address, and leaving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from crm.alumni.models import Alumnus, ContactPoint, Interest
from crm.consent.models import ConsentEntry
from crm.consent.queries import choices_of
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction
from crm.mail.content import Variant, save_content
from crm.mail.models import MailboxItem, MessageClass
from crm.mail.outbox import queue_message
from crm.portal.queries import preferred_email
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, code_in, letters, link_in, post, press
from tests.factories import Make

SAVE, THANKS, ONLY, LEFT = range(4)
WORDS = {
    "en": ("Save", "Thank you, Rosa", "Only", "You have left"),
    "es": ("Guardar", "Gracias, Rosa", "Solo", "Dejaste"),
}
LETTER = "Hello {{ first_name | there }},\n\n[Your page]({{ profile_link }})\n"


def write_to(site: Site, made: Make, person: Alumnus, key: str) -> MailboxItem:
    """A delivered letter with a link to the person's own page and one to leave by."""
    variants = {code: Variant("News", "", LETTER) for code in ("en", "es")}
    version = save_content(
        made.session, key=key, name="News", topic_key="news", variants=variants, by=SYSTEM,
        at=made.at,
    )  # fmt: skip
    queue_message(
        made.session, key=key, alumnus_id=person.id, version_id=version.id, topic_key="news",
        message_class=MessageClass.MARKETING, origin="test", at=made.at,
    )  # fmt: skip
    made.session.commit()
    assert post(site) == 1
    statement = select(MailboxItem).order_by(MailboxItem.id.desc()).limit(1)
    return made.session.scalars(statement).one()


@pytest.mark.parametrize(
    ("language", "javascript"), [("en", True), ("en", False), ("es", True), ("es", False)]
)
def test_an_alumnus_corrects_the_own_page_and_leaves_one_topic_on_a_phone(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path,
    language: str, javascript: bool,
) -> None:  # fmt: skip
    key = f"phone-{language}-{'script' if javascript else 'plain'}"
    rosa = made.alumnus("Rosa", "Delgado", email=f"{key}@mail.example", language=language)
    letter = write_to(site, made, rosa, key)
    page = open_page(width=360, javascript=javascript)
    page.goto(link_in(letter, "profile"))
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert_fits(page)
    page.screenshot(path=artifacts / f"me-{key}.png", full_page=True)
    page.locator("#about-me > summary").click()
    assert_fits(page)
    page.locator("input[name=job_title]").fill("Nurse")
    page.locator("input[name=ways][value=speak]").check()
    press(page, WORDS[language][SAVE])
    expect(page.get_by_role("heading", level=1)).to_have_text(WORDS[language][THANKS])
    assert_fits(page)
    made.session.expire_all()
    assert rosa.job_title == "Nurse"
    assert made.session.scalars(
        select(Interest.key).where(Interest.alumnus_id == rosa.id)
    ).all() == ["speak"]

    page.goto(link_in(letter, "unsubscribe"))
    assert_fits(page)
    before = choices_of(made.session, rosa.id)
    assert before["news"]
    page.get_by_role("button", name=WORDS[language][ONLY]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(WORDS[language][LEFT])
    assert_fits(page)
    made.session.rollback()
    assert choices_of(made.session, rosa.id) == {**before, "news": False}


def held(made: Make, person: Alumnus) -> tuple[object, ...]:
    """All that a page behind a link could change of somebody."""
    made.session.rollback()
    made.session.refresh(person)
    count = select(func.count())
    return (
        person.updated_at, person.link_epoch, choices_of(made.session, person.id),
        made.session.scalar(count.select_from(ConsentEntry)),
        made.session.scalar(count.select_from(Interaction)),
        made.session.scalars(
            select(ContactPoint.value).where(ContactPoint.alumnus_id == person.id)
        ).all(),
    )  # fmt: skip


def test_opening_the_links_of_a_letter_changes_nothing(
    site: Site, made: Make, open_page: Callable[..., Page]
) -> None:
    rosa = made.alumnus("Rosa", email="looking@mail.example")
    letter = write_to(site, made, rosa, "looking")
    before = held(made, rosa)
    page = open_page(width=360)
    me, leave = link_in(letter, "profile"), link_in(letter, "unsubscribe")
    for address in (me, f"{me}/address", f"{me}/address/code", leave, f"{leave}?all=1"):
        answer = page.goto(address)
        assert answer
        assert answer.ok, address
        assert_fits(page)
    assert held(made, rosa) == before


def test_a_new_address_counts_once_the_code_that_went_to_it_is_typed_in(
    site: Site, made: Make, open_page: Callable[..., Page]
) -> None:
    rosa = made.alumnus("Rosa", email="old@mail.example")
    letter = write_to(site, made, rosa, "moving")
    page = open_page(width=360)
    page.goto(link_in(letter, "profile"))
    page.get_by_role("heading", name="How we reach you").click()
    page.get_by_role("link", name="Use another mail address").click()
    page.locator("input[type=email]").fill("new.rosa@mail.example")
    press(page, "Mail me a code")
    assert post(site) == 1
    assert_fits(page)
    page.get_by_label("code").fill("12345")
    press(page, "Confirm the address")
    expect(page.locator(".invalid-feedback")).to_contain_text("wrong")
    assert preferred(made, rosa) == "old@mail.example"
    (code,) = letters(made.session, "new.rosa@mail.example")
    page.get_by_label("code").fill(code_in(code))
    press(page, "Confirm the address")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert_fits(page)
    assert preferred(made, rosa) == "new.rosa@mail.example"
    assert post(site) == 1
    assert len(letters(made.session, "old@mail.example")) == 2, "the old address is told"


def preferred(made: Make, person: Alumnus) -> str:
    made.session.rollback()
    point = preferred_email(made.session, person.id)
    return point.value if point else ""
