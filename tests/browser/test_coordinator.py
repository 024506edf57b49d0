"""A coordinator's day: a roster comes in, a mailing goes out, and its report adds up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select

from crm.imports.models import ImportRun
from crm.schools.service import SchoolFacts, save_schools
from lifecycle.campaigns.service import start_due
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, letters, post, press, press_and_agree, run_job
from tests.factories import Make

ROSTER = """Name,Grad Year,High School,Email,Do Not Email,FERPA Block,SSN
"Boateng, Alma",1999,Ferry Street High School,alma@ferry.example,,,123-45-6789
"Müller-O’Neill, Jörg",2001,Ferry Street High School,joerg@ferry.example,,,
王小明,2003,Ferry Street High School,ming@ferry.example,,Y,
Sukarno,2004,Ferry Street High School,sukarno@ferry.example,Y,,
"Reyes, María José",2005,Ferry Street High School,,,,
,2006,Ferry Street High School,nobody@ferry.example,,,
"""
BODY = """Hello {{ first_name | there }},

the **gym** is open again.

[Your page]({{ profile_link }})
"""


def bring_in(site: Site, made: Make, page: Page, file: Path) -> None:
    """Upload a roster, look at its mapping and its dry run, and apply it."""
    page.goto("/imports")
    page.get_by_label("File").set_input_files(file)
    press(page, "Upload")
    ssn = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="SSN"))
    expect(ssn).to_contain_text("Never read")
    expect(page.locator("main")).not_to_contain_text("123-45-6789")
    assert_fits(page)

    made.session.rollback()
    statement = select(ImportRun.id).where(ImportRun.filename == file.name)
    run_id = made.session.scalars(statement).one()
    press(page, "Check every line")
    expect(page.locator("#import-progress")).to_be_visible()
    run_job(site, "imports.work", import_id=run_id, user_id=None)
    # The page looks again by itself.
    expect(page.get_by_text("nothing is changed yet")).to_be_visible()
    expect(page.locator(".hc-stat").filter(has_text="New people")).to_contain_text("5")
    expect(page.get_by_role("row").filter(has_text="Rejected")).to_contain_text("name")
    page.goto("/people?q=Boateng")
    expect(page.get_by_text("Nobody matches")).to_be_visible()

    page.goto(f"/imports/{run_id}")
    press_and_agree(page, "Apply")
    run_job(site, "imports.work", import_id=run_id, user_id=None)
    expect(page.locator(".hc-page-header")).to_contain_text("Applied")
    expect(page.locator(".hc-stat").filter(has_text="New people")).to_contain_text("5")
    assert_fits(page)


def save_segment(page: Page) -> None:
    """Search, with the list following what is typed, and save the search under a name."""
    page.goto("/people")
    page.get_by_label("Name or query").press_sequentially('school:"Ferry Street"')
    expect(page.locator("#results")).to_contain_text("5 people")
    page.get_by_role("link", name="Save as a segment").click()
    expect(page.locator("#query-preview")).to_contain_text("5 people")
    page.get_by_label("Name").fill("Ferry Street")
    press(page, "Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ferry Street")
    expect(page.locator("main")).to_contain_text("王小明")


def write_campaign(page: Page) -> None:
    """Draft a campaign for the segment, write it, and look at it as one of its readers."""
    page.goto("/campaigns/")
    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("Name").fill("The gym is open")
    page.get_by_label("Audience").fill("segment:ferry-street")
    press(page, "Save and go on")
    page.get_by_label("Subject").fill("Come and see it, {{ first_name | friend }}")
    page.get_by_label("Text").fill(BODY.replace("first_name", "frist_name"))
    press(page, "Save the text")
    expect(page.locator(".invalid-feedback")).to_contain_text("frist_name")
    page.get_by_label("Text").fill(BODY)
    press(page, "Save the text")
    expect(page.locator("main")).to_contain_text("5 people today")
    assert_fits(page)
    page.get_by_role("link", name="Preview as a person").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("strong").first).to_have_text("gym")
    who = page.locator("main").inner_text()
    name = re.search(r"As (.+) would get it", who)
    assert name
    expect(page.locator("main h2").first).to_contain_text("Come and see it,")
    assert_fits(page)


def test_a_roster_becomes_a_mailing_whose_report_adds_up(
    site: Site, made: Make, open_page: Callable[..., Page], tmp_path: Path, artifacts: Path
) -> None:
    save_schools(made.session, [SchoolFacts("Ferry Street High School", nces_id="130012000411")],
                 at=made.at)  # fmt: skip
    me = made.user(email="coordinator@ferry.example")
    made.session.commit()
    file = tmp_path / "ferry-street.csv"
    file.write_text(ROSTER, "utf-8")
    page = open_page(user_id=me.id)

    bring_in(site, made, page, file)
    save_segment(page)
    write_campaign(page)

    page.get_by_role("link", name="Back to the campaign").click()
    post(site)  # whatever other stories left
    press(page, "Test to myself")
    expect(page.get_by_role("status").first).to_contain_text("coordinator@ferry.example")
    assert post(site) == 1
    (test,) = letters(made.session, "coordinator@ferry.example")
    page.goto(f"/mailbox/{test.id}")
    expect(page.frame_locator("iframe").get_by_text("is open again")).to_be_visible()

    page.goto("/campaigns/the-gym-is-open")
    press_and_agree(page, "Schedule")
    expect(page.get_by_role("status").first).to_contain_text("Scheduled")
    assert start_due(made.session, site.now) == (1, 5)
    assert post(site) == 2
    start_due(made.session, site.now)

    page.reload()
    expect(page.locator("[data-sum]")).to_contain_text("2 sent + 3 not sent + 0 waiting = 5")
    expect(page.locator(".hc-page-header")).to_contain_text("Sent")
    for reason in ("privacy block", "no mail address", "asked not to"):
        expect(page.get_by_role("row").filter(has_text=reason)).to_contain_text("1")
    assert_fits(page)
    page.screenshot(path=artifacts / "report.png", full_page=True)
    got = {name for name in ("alma", "joerg", "ming", "sukarno")
           if letters(made.session, f"{name}@ferry.example")}  # fmt: skip
    assert got == {"alma", "joerg"}
    page.locator(".hc-stat").filter(has_text="not sent").get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("Sukarno")
    expect(page.locator("main")).not_to_contain_text("Alma")
