"""Seniors by their school's poster: an address that stays, and how many have left one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import (
    Alumnus,
    ContactOwner,
    ContactPoint,
    Schooling,
    SchoolingStatus,
)
from crm.core.district import choose
from crm.core.viewer import SYSTEM, Role
from crm.door.models import SchoolCode
from crm.door.seniors import SeniorRule, coverage, make_codes, senior_year, to_do
from crm.duplicates.models import DuplicatePair
from crm.mail.models import Message
from crm.schools.models import School
from tests.factories import Make

RULE = SeniorRule(domains=("students.example",), closes_on=date(2026, 10, 15))


@pytest.fixture
def poster(session: Session, school: School, now: datetime) -> str:
    """The address on a school's wall."""
    choose(session, RULE, at=now)
    return f"/join/{make_codes(session, [school.id], by=SYSTEM, at=now)[0]}"


@pytest.fixture
def senior(make: Make, session: Session, school: School) -> Callable[..., Alumnus]:
    """A pupil of the last class as the roster has them: with the school's address alone."""

    def made(given: str = "Ngozi", family: str = "Ibe", **values: Any) -> Alumnus:
        person = make.alumnus(
            given, family, school=school, class_year=2027, email=None, graduated_on=None, **values
        )
        mine = update(Schooling).where(Schooling.alumnus_id == person.id)
        session.execute(mine.values(status=SchoolingStatus.ENROLLED))
        make.email(
            person, f"s{person.id}@students.example", owner=ContactOwner.SCHOOL, preferred=False
        )
        return person

    return made


def covered(session: Session, school: School) -> tuple[int, int]:
    found = coverage(session, SYSTEM, RULE, day=date(2026, 9, 15))
    return next((c.seniors, c.covered) for c in found if c.school_id == school.id)


def test_the_seniors_of_a_year_change_in_july() -> None:
    assert senior_year(date(2026, 6, 30)) == 2026
    assert senior_year(date(2026, 7, 1)) == 2027


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"external_id": "00123"}, {"student_number": "00123"}),
        ({"birth_date": date(2009, 3, 2)}, {"birth_date": "2009-03-02"}),
    ],
)
def test_a_senior_who_names_a_fact_of_theirs_is_counted_on_the_roster(
    client: FlaskClient, session: Session, senior: Callable[..., Alumnus], poster: str,
    link: Callable[..., str], school: School, fact: dict[str, Any], said: dict[str, Any],
) -> None:  # fmt: skip
    person = senior(**fact)
    senior("Omar", "Haddad")
    assert covered(session, school) == (2, 0)
    welcome = client.post(link(poster, **said))
    assert "under 18" in welcome.text
    assert covered(session, school) == (2, 1)
    assert session.scalar(select(func.count()).select_from(Alumnus)) == 2
    own = ContactPoint.alumnus_id == person.id, ContactPoint.owner == ContactOwner.OWN
    assert session.scalars(select(ContactPoint.value).where(*own)).one() == "ngozi@mail.example"
    told = session.scalars(select(Message).where(Message.key.like("join-told:%"))).one()
    assert told.to_address == f"s{person.id}@students.example"


@pytest.mark.parametrize(
    "said",
    [
        {}, {"student_number": "999"}, {"birth_date": "2009-03-03"},
        {"student_number": "00123", "given_name": "Someone"},
        {"student_number": "00123", "birth_date": "2009-03-03"},
    ],
)  # fmt: skip
def test_whoever_does_not_know_the_pupil_gets_no_hold_of_their_record(
    client: FlaskClient, session: Session, senior: Callable[..., Alumnus], poster: str,
    link: Callable[..., str], said: dict[str, Any],
) -> None:  # fmt: skip
    person = senior(external_id="00123", birth_date=date(2009, 3, 2))
    client.post(link(poster, **said))
    theirs = select(ContactPoint.owner).where(ContactPoint.alumnus_id == person.id)
    assert session.scalars(theirs).all() == [ContactOwner.SCHOOL]
    assert session.scalar(select(func.count()).select_from(Alumnus)) == 2


def test_a_record_with_an_address_of_its_own_is_taken_over_by_nobody(
    client: FlaskClient, session: Session, make: Make, senior: Callable[..., Alumnus],
    poster: str, link: Callable[..., str],
) -> None:  # fmt: skip
    person = senior(external_id="00123")
    make.email(person, "real@mail.example")
    client.post(link(poster, student_number="00123"))
    pair = session.scalars(select(DuplicatePair)).one()
    assert person.id in {pair.first_id, pair.second_id}
    theirs = select(ContactPoint.value).where(ContactPoint.alumnus_id == person.id)
    assert "ngozi@mail.example" not in session.scalars(theirs).all()


@pytest.mark.parametrize("domain", ["students.example", "sub.students.example"])
def test_a_school_address_is_refused_with_a_sentence(
    client: FlaskClient, poster: str, fill: Callable[..., Any], domain: str
) -> None:
    answer = client.post(poster, data=fill(email=f"me@{domain}"))
    assert answer.status_code == 422
    assert "stops soon after you leave" in answer.text


def test_an_old_poster_says_so_and_an_unknown_one_too(
    client: FlaskClient, session: Session, poster: str, school: School, now: datetime,
    fill: Callable[..., Any],
) -> None:  # fmt: skip
    make_codes(session, [school.id], by=SYSTEM, at=now + timedelta(days=1))
    old = client.get(poster)
    assert old.status_code == 410
    assert "poster is old" in old.text
    assert school.name in old.text
    assert client.post(poster, data=fill()).status_code == 410
    assert client.get("/join/nowhere1").status_code == 404


def test_the_poster_carries_its_address_in_every_language(
    coordinator: FlaskClient, session: Session, school: School
) -> None:
    coordinator.post("/seniors/codes")
    code = session.scalars(select(SchoolCode.code)).one()
    page = BeautifulSoup(coordinator.get(f"/seniors/{school.id}/poster").text, "html.parser")
    sheet = page.find(class_="hc-poster")
    assert sheet is not None
    assert f"localhost/join/{code}" in sheet.text
    assert [s["lang"] for s in sheet.find_all("section")] == ["en", "es", "am"]
    assert "Último año" in sheet.text
    assert "Seniors: stay in touch" in sheet.text
    coordinator.post("/seniors/codes")
    assert session.scalars(select(SchoolCode.code)).all() == [code]


def test_a_school_sees_its_own_seniors_and_no_other(
    make: Make, login_as: Callable[[User], FlaskClient], senior: Callable[..., Alumnus],
    school: School,
) -> None:  # fmt: skip
    senior()
    other = make.school("Other High")
    browser = login_as(make.user(Role.SCHOOL, school=other))
    assert "Lincoln High" not in browser.get("/seniors").text
    assert "Lincoln" not in browser.get("/seniors.csv").text
    assert browser.get(f"/seniors/{school.id}/poster").status_code == 404
    mine = login_as(make.user(Role.SCHOOL, school=school))
    assert "Lincoln High,2027,1,0,0" in mine.get("/seniors.csv").text


def test_the_office_is_reminded_only_when_the_day_is_near_and_addresses_are_few(
    app: Any, session: Session, senior: Callable[..., Alumnus], poster: str, now: datetime
) -> None:
    senior()
    with app.test_request_context():
        assert [todo.count for todo in to_do(session, SYSTEM, now)] == [1]
        choose(session, RULE.model_copy(update={"closes_on": date(2027, 6, 1)}), at=now)
        assert list(to_do(session, SYSTEM, now)) == []
