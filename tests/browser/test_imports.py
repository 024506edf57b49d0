"""A list comes in: its columns are told, it is tried, applied, and taken back again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.alumni.models import Alumnus
from crm.imports.models import ImportRun
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, press, press_and_agree, run_job
from tests.factories import Make

LIST = """Name,Grad Year,{since},Solicit Codes,Social Security Number
Harriet Quill,1999,3/4/2015,No mail,123-45-6789
Ines Rook,2001,someday,,
Jon & Kay Stone,2002,,,
"""


def bring(site: Site, made: Make, page: Page, file: Path) -> int:
    """Upload a file; answers the number of its import."""
    page.goto("/imports")
    page.get_by_label("File").set_input_files(file)
    press(page, "Upload")
    made.session.rollback()
    statement = select(ImportRun.id).where(ImportRun.filename == file.name)
    return made.session.scalars(statement.order_by(ImportRun.id.desc()).limit(1)).one()


def go(
    site: Site, page: Page, import_id: int, button: str, press_button: Callable[..., None] = press
) -> None:
    """Press a button that has the worker do something, and wait until it is done."""
    press_button(page, button)
    run_job(site, "imports.work", import_id=import_id, user_id=None)
    page.goto(f"/imports/{import_id}")
    assert_fits(page)


def names(made: Make) -> set[str]:
    made.session.rollback()
    return set(made.session.scalars(select(Alumnus.family_name)))


@pytest.mark.parametrize(("width", "javascript"), [(1280, True), (360, False)])
def test_a_list_is_mapped_tried_applied_and_taken_back(
    site: Site, made: Make, open_page: Callable[..., Page], tmp_path: Path, width: int,
    javascript: bool,
) -> None:  # fmt: skip
    user = made.user(name=f"Coordinator {width}")
    made.session.commit()
    before = names(made)
    page = open_page(user_id=user.id, width=width, javascript=javascript)
    file = tmp_path / f"club-{width}.csv"
    # The stories share a district, which remembers how the other one's file was read.
    since, sender = f"Member since {width}", f"Booster club {width}"
    file.write_text(LIST.format(since=since))
    run_id = bring(site, made, page, file)
    expect(page.get_by_text("may say who wants no mail")).to_contain_text("Solicit Codes")
    expect(page.get_by_label("Social Security Number")).to_be_disabled()
    assert_fits(page)
    agree = press_and_agree if javascript else press
    expect(page.get_by_label("Name of the field").first).to_be_hidden()
    page.get_by_label(since).first.select_option("custom")
    page.get_by_label("Name of the field").nth(2).fill(f"Club since {width}")
    page.get_by_label("Kind", exact=True).nth(2).select_option("date")
    page.get_by_label("Solicit Codes").first.select_option("opt_out")
    page.get_by_label("Remember this").check()
    page.get_by_label("Who sends such files").fill(sender)
    press(page, "Read it this way")
    expect(page.get_by_text("may say who wants no mail")).to_have_count(0)

    go(site, page, run_id, "Check every line")
    expect(page.locator(".hc-stat").filter(has_text="New people")).to_contain_text("2")
    expect(page.get_by_role("row").filter(has_text="Doubtful")).to_contain_text("two people")
    expect(page.get_by_role("row").filter(has_text="is no date")).to_contain_text("someday")
    assert names(made) == before, "a dry run changes nothing"

    go(site, page, run_id, "Apply", agree)
    assert names(made) == before | {"Quill", "Rook"}
    expect(page.locator("main")).to_contain_text(f"club_since_{width}: Date")

    page.goto("/imports/mappings")
    expect(page.get_by_role("row").filter(has_text=sender)).to_be_visible()
    assert_fits(page)
    again = bring(site, made, page, file)
    press(page, f"As for {sender}")
    expect(page.get_by_label("Name of the field").nth(2)).to_have_value(f"club_since_{width}")
    go(site, page, again, "Check every line")
    expect(page.locator(".hc-stat").filter(has_text="Unchanged")).to_contain_text("2")

    page.goto(f"/imports/{run_id}")
    agree(page, "Undo this import")
    expect(page.get_by_text("This import was undone.")).to_be_visible()
    assert names(made) == before
