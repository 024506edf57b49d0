"""Who said a field: a file and its line, staff, the alumnus; and the words that were not heard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.accounts import roles
from crm.accounts.access import viewer_for
from crm.accounts.models import User
from crm.alumni.models import ContactOwner
from crm.alumni.service import edit_profile, put_email
from crm.core.viewer import ROLE_PERMISSIONS, SYSTEM, Permission, Role
from crm.duplicates import merging
from crm.duplicates.finding import find_duplicates
from crm.imports import belongings
from crm.imports.belongings import addresses_from, schools_from
from crm.imports.models import ImportRun
from crm.imports.provenance import FILE, LINK, as_json
from crm.imports.undoing import undo_import
from crm.schools.models import School
from tests.crm.imports.conftest import Bring, Command, bring, everybody, north, person, run
from tests.crm.imports.test_layouts import table
from tests.factories import Make

__all__ = ["bring", "north", "run"]
ROSTER = "Student_Number|First_Name|Last_Name|DOB|City|Grade_Level"
LIST = "Student ID|First Name|Last Name|City|Employer|College"


def told(session: Session) -> dict[str, Any]:
    """Who said the fields of the only person."""
    return as_json(session, everybody(session)[0].id)


def test_each_field_names_the_file_and_line_that_said_it_first_and_last(
    session: Session, bring: Bring, north: School
) -> None:
    first = bring(table(ROSTER, "1|Bea|Hill|03/05/1992|Milltown|12", "2|Ada|Byron|03/04/1992||12"),
                  "students.txt", layout="powerschool")  # fmt: skip
    second = bring(table(LIST, "2|Ada|Byron|Cedar|Lakeside|"), "club.csv")
    ada = person(session, "2")
    found = as_json(session, ada.id)
    assert found["birth_date"] == {
        "value": "1992-03-04", "source": "file", "who": "students.txt", "import_id": first.id,
        "line": 3, "education": True, "at": found["birth_date"]["at"],
    }  # fmt: skip
    assert (found["employer"]["import_id"], found["employer"]["education"]) == (second.id, False)
    assert found["city"]["line"] == 2


def test_what_the_alumnus_corrects_survives_the_file_whose_word_stays_readable(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(LIST, "2|Ada|Byron|Milltown||State College"), "old.csv")
    ada = everybody(session)[0]
    edit_profile(session, ada, {"college": "Lake University"}, by=None, at=now, source="link")
    found = told(session)["college"]
    assert (found["value"], found["source"]) == ("Lake University", "link")
    assert found["otherwise"][0]["value"] == "State College"
    news = bring(table(LIST, "2|Ada|Byron|Milltown||City College"), "news.csv")
    session.expire_all()
    assert everybody(session)[0].college == "Lake University"
    found = told(session)["college"]
    assert [(w["value"], w["import_id"]) for w in found["otherwise"]] == [("City College", news.id)]
    bring(table(LIST, "2|Ada|Byron|Milltown||City College"), "again.csv")
    assert session.scalar(text("select count(*) from file_word")) == 1
    bring(table(LIST, "2|Ada|Byron|Milltown||Lake University"), "agrees.csv")
    assert "otherwise" not in told(session)["college"]


def test_the_word_of_a_file_goes_with_the_undoing_of_the_file(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(LIST, "2|Ada|Byron|Milltown||"), "old.csv")
    ada = everybody(session)[0]
    edit_profile(session, ada, {"city": "Cedar"}, by=None, at=now, source="link")
    done = bring(table(LIST, "2|Ada|Byron|Lakeview||"), "news.csv")
    assert told(session)["city"]["otherwise"][0]["value"] == "Lakeview"
    run_of = session.get_one(ImportRun, done.id)
    undo_import(session, run_of, at=now + timedelta(hours=1), by=SYSTEM)
    assert session.scalar(text("select count(*) from file_word")) == 0


def test_what_staff_say_and_what_a_merge_brings_is_named(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(LIST, "2|Ada|Byron|||", "3|Ada|Byrne||Lakeside|"), "old.csv")
    first, second = everybody(session)
    edit_profile(session, first, {"city": "Cedar"}, by=SYSTEM, at=now, source="staff")
    merging.merge(session, first.id, second.id, at=now, by=SYSTEM)
    found = as_json(session, first.id)
    assert found["city"]["source"] == "staff"
    assert (found["employer"]["source"], found["employer"]["who"]) == ("merge", f"#{second.id}")


def test_the_page_and_the_command_tell_it(
    coordinator: FlaskClient, session: Session, bring: Bring, north: School,
    run: Callable[..., Command],
) -> None:  # fmt: skip
    bring(table(ROSTER, "1|Bea|Hill|03/05/1992|Milltown|12"), "students.txt", layout="powerschool")
    page = coordinator.get(f"/people/{everybody(session)[0].id}").text
    assert "Where this comes from" in page
    assert "education record" in page
    shown = run("people", "show", "--id", "1").report
    assert shown["where_from"]["family_name"]["who"] == "students.txt"
    assert run("people", "export", "--id", "1").report["record"]["where_from"]["city"]["line"] == 2


def test_addresses_and_schools_name_who_said_them_on_the_page_and_beside_a_pair(
    coordinator: FlaskClient, session: Session, bring: Bring, north: School, now: datetime
) -> None:
    head = "Student ID|First Name|Last Name|School|Class Year|Email"
    made = bring(table(head, "2|Ada|Byron|201|2010|ada@mail.example"), "list.csv")
    bring(table(head, "3|Ada|Byron|201|2010|a.byron@mail.example"), "club.csv")
    first, second = everybody(session)
    put_email(session, first, "own@mail.example", owner=ContactOwner.OWN, preferred=True,
              source="link", at=now)  # fmt: skip
    session.flush()
    said = {b.text: b.said for b in addresses_from(session, first.id)}
    assert (said["ada@mail.example"].source, said["ada@mail.example"].import_id) == (FILE, made.id)
    assert said["own@mail.example"].source == LINK
    (school,) = schools_from(session, first.id)
    assert (school.text, school.said.who) == (f"{north.name} 2010", "list.csv")
    page = BeautifulSoup(coordinator.get(f"/people/{first.id}").text, "html.parser")
    rows = [" ".join(row.get_text(" ").split()) for row in page.select("details tbody tr")]
    assert any(row.startswith(f"School {north.name} 2010 list.csv") for row in rows)
    assert any(
        row.startswith("Address own@mail.example the alumnus, by their link") for row in rows
    )
    find_duplicates(session, at=now, threshold=0.01)
    pair = coordinator.get(f"/duplicates/{first.id}/{second.id}").text
    told = " ".join(BeautifulSoup(pair, "html.parser").get_text(" ").split())
    assert "own@mail.example the alumnus, by their link, Sep 15, 2026" in told
    assert f"{north.name} 2010 list.csv" in told
    assert f"{north.name} 2010 club.csv" in told


def test_who_may_not_see_an_address_reads_it_nowhere_in_the_block(
    login_as: Callable[[User], FlaskClient], make: Make, session: Session, now: datetime
) -> None:
    person = make.alumnus(email="hidden@mail.example")
    granted = ROLE_PERMISSIONS[Role.LIAISON] - {Permission.CONTACT_VIEW}
    roles.set_permissions(session, Role.LIAISON, granted, by=SYSTEM, at=now)
    session.flush()
    viewer = viewer_for(session, make.user(Role.LIAISON))
    shown = belongings.panel(viewer, person, now)
    assert shown is not None
    assert shown["addresses"] == []
    assert shown["schools"]
