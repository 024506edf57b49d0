"""A senior at the public door: from the poster on the wall to a place in the coverage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from crm.alumni.models import Alumnus, ContactOwner, ContactPoint, Schooling, SchoolingStatus
from crm.core.district import choose
from crm.door.seniors import SeniorRule
from tests.browser.conftest import Site
from tests.browser.steps import assert_fits, letters, post, press, run_job
from tests.factories import Make

OWN = "beza.door@mail.example"


def test_a_senior_registers_by_the_poster_on_a_phone_without_scripts_and_is_counted(
    site: Site, made: Make, open_page: Callable[..., Page], artifacts: Path
) -> None:
    school, office = made.school("Poster High"), made.user()
    beza = made.alumnus(
        "Beza", "Tadesse", school=school, class_year=2027, email=None, graduated_on=None,
        birth_date=date(2009, 2, 3),
    )  # fmt: skip
    enrolled = update(Schooling).where(Schooling.alumnus_id == beza.id)
    made.session.execute(enrolled.values(status=SchoolingStatus.ENROLLED))
    made.email(beza, "s1@students.example", owner=ContactOwner.SCHOOL, preferred=False)
    choose(made.session, SeniorRule(domains=("students.example",)), at=made.at)
    made.session.commit()

    staff = open_page(user_id=office.id)
    staff.goto("/seniors")
    row = staff.get_by_role("row", name="Poster High").first
    expect(row).to_contain_text("0%")
    press(staff, "Make posters for all schools")
    staff.get_by_role("link", name="Look and print: Poster High").click()
    address = "http://" + staff.locator(".hc-poster-address").inner_text().strip()

    phone = open_page(width=360, javascript=False, touch=True)
    phone.goto(address + "?lang=es")
    assert_fits(phone)
    phone.locator("input[name=given_name]").fill("Beza")
    phone.locator("input[name=family_name]").fill("Tadesse")
    phone.locator("input[name=email]").fill("beza@students.example")
    phone.locator("input[name=birth_date]").fill("2009-02-03")
    phone.locator("input[name=agree]").check()
    site.now += timedelta(seconds=40)
    press(phone, "Envíenme el enlace")
    expect(phone.locator("main")).to_contain_text("deja de funcionar")
    phone.locator("input[name=email]").fill(OWN)
    site.now += timedelta(seconds=40)
    press(phone, "Envíenme el enlace")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Revisa tu correo")
    assert_fits(phone)

    site.now += timedelta(minutes=5)
    run_job(site, "door.letters")
    post(site)
    (letter,) = letters(made.session, OWN)
    phone.goto(next(v for v in letter.substitutions.values() if "/join/confirm/" in v))
    assert_fits(phone)
    theirs = select(ContactPoint.value).where(
        ContactPoint.alumnus_id == beza.id, ContactPoint.owner == ContactOwner.OWN
    )
    assert made.session.scalars(theirs).all() == []
    press(phone, "Sí, soy yo")
    expect(phone.get_by_role("heading", level=1)).to_contain_text("Beza")
    assert_fits(phone)
    phone.screenshot(path=artifacts / "door-welcome.png", full_page=True)

    made.session.rollback()
    assert made.session.scalars(theirs).all() == [OWN]
    named = select(Alumnus.id).where(Alumnus.family_name == "Tadesse")
    assert made.session.scalars(named).all() == [beza.id]
    staff.goto("/seniors")
    expect(staff.get_by_role("row", name="Poster High").first).to_contain_text("100%")
