"""An alumnus on a phone: the own page behind a mailed link, thanks, and leaving one topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.alumni.models import Interest
from crm.consent.queries import choices_of
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, letters, link_in, post
from tests.factories import Make

SAVE, THANKS, ONLY, LEFT = range(4)
WORDS = {
    "en": ("Save", "Thank you, Rosa", "Only", "You have left"),
    "es": ("Guardar", "Gracias, Rosa", "Solo", "Dejaste"),
}
LETTER = "Hello {{ first_name | there }},\n\n[Your page]({{ profile_link }})\n"


@pytest.mark.parametrize(
    ("language", "javascript"), [("en", True), ("en", False), ("es", True), ("es", False)]
)
def test_an_alumnus_corrects_the_own_page_and_leaves_one_topic_on_a_phone(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path,
    language: str, javascript: bool,
) -> None:  # fmt: skip
    key = f"phone-{language}-{'script' if javascript else 'plain'}"
    rosa = made.alumnus("Rosa", "Delgado", email=f"{key}@mail.example", language=language)
    variants = {code: Variant("News", "", LETTER) for code in ("en", "es")}
    version = save_content(
        made.session, key=key, name="News", topic_key="news", variants=variants, by=SYSTEM,
        at=made.at,
    )  # fmt: skip
    queue_message(
        made.session, key=key, alumnus_id=rosa.id, version_id=version.id, topic_key="news",
        message_class=MessageClass.MARKETING, origin="test", at=made.at,
    )  # fmt: skip
    made.session.commit()
    assert post(site) == 1
    (letter,) = letters(made.session, f"{key}@mail.example")

    page = open_page(width=360, javascript=javascript)
    page.goto(link_in(letter, "profile"))
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert_fits(page)
    page.screenshot(path=artifacts / f"me-{key}.png", full_page=True)
    page.locator("input[name=job_title]").fill("Nurse")
    page.locator("input[name=ways][value=speak]").check()
    page.get_by_role("button", name=WORDS[language][SAVE], exact=True).click()
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
