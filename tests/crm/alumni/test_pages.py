"""The page of a person: seen, edited, exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.alumni.models import ContactPoint, ContactStatus, Interest
from crm.core.viewer import Role
from tests.factories import Make

LoginAs = Callable[[User], FlaskClient]


def test_the_page_of_a_person_shows_who_they_are_and_how_to_reach_them(
    coordinator: FlaskClient, make: Make
) -> None:
    person = make.alumnus(
        "Zoë", "O’Brien", school=make.school("Maynard Jackson"), ways=("mentor",),
        subjects=("health",), email="zoe@mail.example", employer="Delta", deceased=True,
        external_id="00042", custom={"club": "chess"},
    )  # fmt: skip
    page = coordinator.get(f"/people/{person.id}").text
    expected = (
        "Zoë O’Brien", "Maynard Jackson", "Mentor a pupil", "Health and medicine", "their own",
        "zoe@mail.example", "Delta", "Deceased", "sis:00042", "chess",
    )  # fmt: skip
    assert [text for text in expected if text not in page] == []


def form_of(page: str) -> str:
    """The moment that the edit form was opened for."""
    return page.split('name="seen"')[1].split('value="')[1].split('"')[0]


def test_an_edit_saves_everything_and_a_second_one_from_an_old_page_is_refused(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    person = make.alumnus("Maria", "Lopez", ways=("mentor",))
    address = f"/people/{person.id}/edit"
    seen = form_of(coordinator.get(address).text)
    data = {
        "seen": seen, "given_name": "María", "family_name": "López", "class_year": "2015",
        "language": "es", "ways": ["speak"], "do_not_contact": "y",
    }  # fmt: skip
    assert coordinator.post(address, data=data).status_code == 303
    session.refresh(person)
    assert (person.full_name, person.language, person.do_not_contact) == (
        "María López",
        "es",
        True,
    )
    assert session.scalars(select(Interest.key)).all() == ["speak"]
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["alumnus.edited", "alumnus.interests"]
    assert coordinator.post(address, data={**data, "given_name": "M"}).status_code == 409


@pytest.mark.parametrize(
    "data",
    [
        {"class_year": "twenty"},
        {"class_year": "9" * 30},
        {"time_zone": "Mars"},
        {"given_name": "x" * 300},
        {"given_name": "", "family_name": ""},
        {"language": "tlh"},
        {"ways": ["juggle"]},
        {"birth_date": "0000-99-99"},
        {"seen": "yesterday"},
        {"seen": ""},
    ],
)
def test_a_bad_form_is_shown_again_with_its_fault(
    coordinator: FlaskClient, make: Make, session: Session, data: dict[str, str]
) -> None:
    person = make.alumnus("Maria", "Lopez")
    session.commit()
    fine = {"seen": person.updated_at.isoformat(), "given_name": "Eve", "language": "en"}
    answer = coordinator.post(f"/people/{person.id}/edit", data={**fine, **data})
    assert 400 <= answer.status_code < 500
    session.refresh(person)
    assert person.given_name == "Maria"


def test_an_address_is_added_and_retired_with_a_trail_that_does_not_hold_it(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = f"/people/{person.id}/contacts"
    data = {"kind": "email", "value": "new@mail.example", "owner": "own", "preferred": "y"}
    assert coordinator.post(address, data=data).status_code == 303
    old, new = session.scalars(select(ContactPoint).order_by(ContactPoint.id)).all()
    assert (old.preferred, new.preferred) == (False, True)
    assert coordinator.post(f"{address}/{new.id}/retire").status_code == 303
    session.refresh(new)
    assert (new.status, new.preferred) == (ContactStatus.RETIRED, False)
    trail = [str(entry.detail) for entry in session.scalars(select(AuditEntry))]
    assert len(trail) == 2
    assert "mail.example" not in "".join(trail)
    other = make.alumnus()
    assert coordinator.post(f"/people/{other.id}/contacts/{new.id}/retire").status_code == 404
    assert coordinator.post(f"{address}/{10**30}/retire").status_code == 404
    bad = coordinator.post(address, data={**data, "value": "no address"})
    assert bad.status_code == 422


def exported(client: FlaskClient, query: str) -> list[dict[str, str]]:
    answer = client.post("/people/export", data={"q": query})
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def test_an_export_is_safe_in_a_spreadsheet_leaves_out_blocks_and_is_noted(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.alumnus("=HYPERLINK(1)", "Aa", email="a@mail.example", employer="  +1", ways=("mentor",))
    make.alumnus("@SUM", "Bb", college="＝1", external_id="-7")
    make.alumnus("Blocked", "Cc", ferpa_block=True)
    rows = exported(coordinator, "")
    assert [row["given_name"] for row in rows] == ["'=HYPERLINK(1)", "'@SUM"]
    assert rows[0]["employer"] == "'  +1"
    assert rows[1]["college"] == "'＝1"
    assert (rows[0]["email"], rows[0]["ways"]) == ("a@mail.example", "mentor")
    assert rows[1]["external_ids"] == "sis:-7"
    done = select(AuditEntry).where(AuditEntry.action == "people.exported")
    assert session.scalars(done).one().detail["query"] == ""


def test_an_export_of_a_wrong_query_is_refused(coordinator: FlaskClient) -> None:
    assert coordinator.post("/people/export", data={"q": "way:mentr"}).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "/people?q=%00",
        "/people?q=%ff",
        "/people?q=" + "(" * 3000,
        "/people?after=%00&q=a",
        "/people?after=WyJcdWQ4MDAiLDFd",
        "/people/count?q=%ED%A0%80",
        "/people/99999999999999999999999",
        "/people/0",
        "/people?q=id:99999999999999999999999999",
        "/people?q=class:99999999999",
        "/people?q=added:9999y",
        "/people?q=added:0000",
        "/people?q=added:9999-12-31",
    ],
)
def test_odd_addresses_do_no_harm(coordinator: FlaskClient, make: Make, address: str) -> None:
    make.alumnus()
    assert coordinator.get(address).status_code < 500


def test_a_list_costs_the_same_few_queries_however_long_it_is(
    coordinator: FlaskClient, make: Make, queries: list[str]
) -> None:
    for _ in range(3):
        make.alumnus()
    queries.clear()
    coordinator.get("/people?q=ada")
    few = len(queries)
    for _ in range(20):
        make.alumnus()
    queries.clear()
    coordinator.get("/people?q=ada")
    assert len(queries) == few <= 12


def test_an_old_link_to_a_merged_record_leads_to_the_one_that_stays(
    coordinator: FlaskClient, make: Make, login_as: LoginAs
) -> None:
    kept = make.alumnus()
    gone = make.alumnus(merged_into_id=kept.id, updated_at=make.at - timedelta(days=1))
    answer = coordinator.get(f"/people/{gone.id}")
    assert (answer.status_code, answer.location) == (302, f"/people/{kept.id}")
    elsewhere = login_as(make.user(Role.SCHOOL, school=make.school()))
    assert elsewhere.get(f"/people/{gone.id}").status_code == 404, "scope is a wall"
