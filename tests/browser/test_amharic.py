"""An alumna whose language is Amharic: asked, she says yes on a phone, and later she stops mail."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.consent.queries import choices_of
from crm.mail.models import MailboxBatch
from segments.asks.models import Commitment
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, letters, link_in, post
from tests.factories import Make
from tests.segments.story import ask, make_request, make_speaker

LATIN = re.compile(r"[A-Za-z]{3,}")


def left_in_latin(page: Page, theirs: str) -> list[str]:
    """Words in Latin letters on a page, but for what the district and the school wrote."""
    words = LATIN.findall(page.locator("main").inner_text())
    return sorted({word for word in words if word not in theirs})


@pytest.mark.parametrize("dark", [False, True])
def test_an_amharic_alumna_answers_an_ask_and_stops_mail(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path, dark: bool
) -> None:
    address = f"selam-{'dark' if dark else 'light'}@mail.example"
    school = made.school(f"Acacia High School {address}", city="Atlanta")
    selam = make_speaker(made, "Selam", school, email=address, language="am")
    request = make_request(made, school, title="Career day")
    ask(made, request, selam)
    made.session.commit()
    assert post(site) == 1
    letter = letters(made.session, address)[-1]
    batch = made.session.get_one(MailboxBatch, letter.batch_id)
    assert "ይመልከቱትና ይመልሱ" in batch.html
    assert "ከእኛ ማንኛውም ኢሜይል ይቁም" in batch.html
    assert "ሴፕቴምበር" in str(letter.substitutions) or "ኦክቶበር" in str(letter.substitutions)

    phone = open_page(width=360, dark=dark, touch=True)
    phone.goto(link_in(letter, "ask"))
    expect(phone.locator("html")).to_have_attribute("lang", "am")
    theirs = f"{school.name} {school.city} Career day"
    assert left_in_latin(phone, theirs) == []
    assert_fits(phone)
    phone.screenshot(path=artifacts / f"am-ask-{dark}.png", full_page=True)
    phone.get_by_role("button", name=re.compile("^አዎ፦ ")).first.tap()
    expect(phone.get_by_role("heading", level=1)).to_contain_text("ተወስኗል")
    assert left_in_latin(phone, theirs) == []
    assert_fits(phone)
    made.session.rollback()
    assert made.session.scalars(select(Commitment).where(Commitment.alumnus_id == selam.id)).one()

    phone.goto(link_in(letter, "unsubscribe"))
    expect(phone.get_by_role("heading", level=1)).to_have_text("ምን እንዲቆም ይፈልጋሉ?")
    assert left_in_latin(phone, theirs) == []
    assert_fits(phone)
    phone.get_by_role("button", name="ሁሉንም", exact=True).tap()
    expect(phone.get_by_role("heading", level=1)).to_have_text("ከእኛ ኢሜይል አይደርስዎትም")
    assert_fits(phone)
    phone.screenshot(path=artifacts / f"am-left-{dark}.png", full_page=True)
    made.session.rollback()
    assert not any(choices_of(made.session, selam.id).values())
