"""A large export in a browser: asked for by one coordinator, agreed to by another."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.exports.models import ExportRun
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, press, press_and_agree, run_job
from tests.factories import Make


@pytest.fixture
def alone(site: Site) -> Iterator[int]:
    """How many people one account may take in a day: two."""
    settings = site.app.config["SETTINGS"]
    site.app.config["SETTINGS"] = settings.model_copy(update={"export_alone": 2})
    yield 2
    site.app.config["SETTINGS"] = settings


def test_a_large_export_needs_a_second_person(
    site: Site, made: Make, open_page: Callable[..., Page], alone: int, tmp_path: Path
) -> None:
    school = made.school("Second Street High School")
    for name in ("Ana", "Bô", "=Cy"):
        made.alumnus(name, "Export", school=school)
    asker, second = made.user(name="Ana Asker").id, made.user(name="Sam Second").id
    made.session.commit()

    page = open_page(user_id=asker)
    page.goto('/people?q=school:"Second Street"')
    page.get_by_role("link", name="Export", exact=True).click()
    expect(page.locator("main")).to_contain_text("A second person must agree")
    assert_fits(page)
    press(page, "Ask a second person")
    expect(page.get_by_role("alert")).to_contain_text("Say what the file is for")
    page.get_by_label("What it is for").fill("Name tags for the reunion")
    press(page, "Ask a second person")
    expect(page.locator(".hc-page-header")).to_contain_text("waits for a second person")
    expect(page.get_by_role("button", name="Agree")).to_have_count(0)
    export_id = made.session.scalars(select(ExportRun.id).order_by(ExportRun.id.desc())).first()

    other = open_page(user_id=second, width=360)
    other.goto("/")
    # Another story's may wait beside it.
    other.get_by_role("link", name=re.compile("exports? waits? for a second person")).click()
    other.locator("main").get_by_role("link", name=f"Export {export_id}").click()
    expect(other.locator("main")).to_contain_text("Name tags for the reunion")
    assert_fits(other)
    press_and_agree(other, "Agree")
    expect(other.locator("#export-progress")).to_be_visible()
    run_job(site, "exports.make", export_id=export_id)
    expect(other.locator("main")).to_contain_text("Only who asked for it can download it")
    expect(other.get_by_role("button", name="Download")).to_have_count(0)

    page.reload()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download").click()
    coming.value.save_as(tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(row["given_name"] for row in rows) == ["'=Cy", "Ana", "Bô"]
