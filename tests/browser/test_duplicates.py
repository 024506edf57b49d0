"""One person comes in two files: found, compared, merged, and both records as before again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM
from crm.duplicates.models import DuplicatePass
from crm.imports.service import import_people
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, press, run_job
from tests.factories import Make

HEAD = "First Name,Last Name,High School,Class Year,DOB,Email,Phone,City\n"
PEOPLE = {
    "Lanternby": ("1992-03-04", "404-555-0131"),
    "Quillfeather": ("1987-11-23", "404-555-0178"),
}


@pytest.fixture
def bring(site: Site, made: Make, tmp_path: Path) -> Callable[[str, str], None]:
    """Applies a file of people, an hour after all that was, and looks whom it brought."""

    def bring(name: str, text: str) -> None:
        last = made.session.scalar(select(func.max(DuplicatePass.at)))
        site.now = max(site.now, last or site.now) + timedelta(hours=1)
        file = tmp_path / name
        file.write_text(text)
        run = import_people(made.session, file, by=SYSTEM, at=site.now)
        made.session.commit()
        run_job(site, "duplicates.arrived", import_id=run.id)
        made.session.rollback()

    return bring


@pytest.fixture
def twice(
    made: Make, bring: Callable[[str, str], None], request: pytest.FixtureRequest
) -> tuple[int, int]:
    """The numbers of the two records of one person, a talk on the second."""
    family = request.getfixturevalue("family")
    born, phone = PEOPLE[family]
    made.school(f"{family} High School")
    made.session.commit()
    at_school = f"{family},{family} High School"
    bring("sis.csv", f"Student ID,{HEAD}7{phone[-3:]},Ada,{at_school},2010,{born},"
                     f"ada@{family}.example,{phone},Milltown\n")  # fmt: skip
    bring("club.csv", f"Record ID,{HEAD}9{phone[-3:]},Adah,{at_school},2010,{born},"
                      f"adah@work.{family}.example,{phone},Cedar\n")  # fmt: skip
    who = select(Alumnus).where(Alumnus.family_name == family).order_by(Alumnus.id)
    first, second = made.session.scalars(who)
    made.interaction(second, "talk_given")
    made.session.commit()
    return first.id, second.id


@pytest.mark.parametrize(
    ("family", "width", "javascript"), [("Lanternby", 1280, True), ("Quillfeather", 360, False)]
)
def test_a_pair_is_reviewed_merged_and_taken_back(
    made: Make, open_page: Callable[..., Page], twice: tuple[int, int], artifacts: Path,
    family: str, width: int, javascript: bool,
) -> None:  # fmt: skip
    first, second = twice
    user = made.user(name="Cora Coordinator")
    made.session.commit()
    page = open_page(user_id=user.id, width=width, javascript=javascript, dark=not javascript)

    page.goto("/duplicates")
    assert_fits(page)
    page.get_by_role("link", name=f"Ada {family}").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="City"))
    expect(row).to_contain_text("Milltown")
    expect(row).to_contain_text("Cedar")
    expect(row).to_contain_text("differs")
    expect(page.locator("main")).to_contain_text("What would follow into the record that stays")
    assert_fits(page)
    page.screenshot(path=artifacts / f"pair-{width}.png", full_page=True)

    page.get_by_label(f"City of #{second} stays").check()
    if javascript:
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="One person: merge")).to_be_focused()
        with page.expect_navigation():
            page.keyboard.press("Enter")
    else:
        press(page, "One person: merge")
    bar = page.get_by_role("status").filter(has_text=f"#{second} is now part of #{first}")
    expect(bar).to_be_visible()
    assert_fits(page)
    page.screenshot(path=artifacts / f"merged-{width}.png", full_page=True)
    back_to = page.url

    bar.get_by_role("link", name="See the record").click()
    main = page.locator("main")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Ada {family}")
    for words in ("Cedar", f"adah@work.{family}.example".lower(), f"ada@{family}.example".lower(),
                  "Sep 5, 2026"):  # fmt: skip
        expect(main).to_contain_text(words)
    page.goto(f"/people/{second}")
    expect(page).to_have_url(f"/people/{first}")
    page.goto(back_to)
    press(page, "Take the merge back")
    expect(page.get_by_role("status").first).to_contain_text("both records are as they were")
    assert_fits(page)
    expect(main).to_contain_text("Milltown")
    expect(main).not_to_contain_text("adah@work")
    expect(main).not_to_contain_text("Sep 5, 2026")
    page.goto(f"/people/{second}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Adah {family}")
    for words in ("Cedar", f"adah@work.{family}.example".lower(), "Sep 5, 2026"):
        expect(main).to_contain_text(words)
