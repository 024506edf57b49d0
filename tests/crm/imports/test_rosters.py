"""The files of student systems, with every trap that they set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.models import Fate, ImportRun
from crm.schools.models import School
from tests.crm.imports.conftest import (
    DATA,
    Bring,
    Command,
    contacts,
    everybody,
    fates,
    person,
    reasons,
    schoolings,
)

Run = Callable[..., Command]
POWERSCHOOL = (DATA / "powerschool.txt").read_text()
CAMPUS = (DATA / "infinite_campus.csv").read_text()


@pytest.fixture
def roster(bring: Bring, north: School) -> ImportRun:
    return bring(POWERSCHOOL, "powerschool.txt")


def test_a_powerschool_export_is_known_by_its_columns(roster: ImportRun) -> None:
    assert roster.layout == "powerschool"
    assert fates(roster) == {"create": 4, "skip": 1}


def test_the_same_roster_twice_changes_nothing(
    session: Session, bring: Bring, roster: ImportRun
) -> None:
    again = bring(POWERSCHOOL, "powerschool.txt")
    assert fates(again) == {"unchanged": 4, "skip": 1}
    assert len(everybody(session)) == 4


def test_graduates_get_their_true_school_and_never_the_fake_one(
    session: Session, roster: ImportRun, north: School
) -> None:
    (schooling,) = schoolings(session, person(session, "0001234"))
    assert (schooling.school_id, schooling.status, schooling.class_year) == (
        north.id, "graduated", 2026,
    )  # fmt: skip
    assert schoolings(session, person(session, "0001235")) == []
    assert "sits in 999999, which is no school" in reasons(session, roster)[1]
    assert session.scalar(text("select count(*) from school")) == 1


def test_a_graduation_day_comes_from_the_exit_of_that_school_year(
    session: Session, roster: ImportRun
) -> None:
    assert person(session, "0001234").graduated_on == date(2026, 5, 28)


def test_those_who_left_keep_the_class_they_would_have_graduated_with(
    session: Session, roster: ImportRun
) -> None:
    devon = person(session, "0001237")
    assert (devon.class_year, devon.graduated_on) == (2027, None)
    assert [s.status for s in schoolings(session, devon)] == ["left"]


def test_seniors_are_enrolled_and_have_not_left_whatever_date_is_planned(
    session: Session, roster: ImportRun
) -> None:
    (schooling,) = schoolings(session, person(session, "0001236"))
    assert (schooling.status, schooling.left_on, schooling.class_year) == ("enrolled", None, 2027)


def test_addresses_of_parents_and_schools_are_never_the_graduates_own(
    session: Session, roster: ImportRun
) -> None:
    assert contacts(session, person(session, "0001234")) == {
        "s1234@students.district.example": ("school", False),
        "mother@mail.example": ("parent", False),
        "+14045550101": ("parent", False),
        "12 ferry street atlanta ga 30303": ("parent", False),
    }
    omar = contacts(session, person(session, "0001235"))
    assert omar["omar.haddad@gmail.com"] == ("own", True), "a public host is nobody's school"


def test_ids_keep_their_zeros(session: Session, roster: ImportRun) -> None:
    values = session.scalars(text("select value from external_id where system = 'sis'")).all()
    assert sorted(values) == ["0001234", "0001235", "0001236", "0001237"]


def test_what_may_not_be_kept_never_reaches_the_database(
    session: Session, roster: ImportRun
) -> None:
    how = {c["title"]: c["how"] for c in roster.mapping["columns"]}
    assert how["SSN"] == how["Gender"] == "not_read"
    assert how["Locker"] == "unknown", "reported, not dropped silently"
    everything = session.scalars(
        text(
            "select to_jsonb(a)::text from alumnus a union all select to_jsonb(l)::text "
            "from import_line l union all select to_jsonb(r)::text from import_run r"
        )
    )
    assert not any("123-45-67" in row for row in everything)


def test_the_command_names_what_it_did_not_read(run: Run, north: School) -> None:
    answer = run("people", "import", DATA / "powerschool.txt")
    assert answer.code == 0
    assert answer.report["created"] == 4
    assert "never read: Gender, SSN" in answer.stderr
    assert "left out): Locker" in answer.stderr


def test_a_diploma_date_makes_a_graduate_and_a_december_one_of_the_next_class(
    session: Session, bring: Bring, north: School
) -> None:
    found = bring(CAMPUS, "campus.csv")
    assert found.layout == "infinite_campus"
    abel = person(session, "0002001")
    assert (abel.class_year, abel.graduated_on) == (2025, date(2024, 12, 20))
    (schooling,) = schoolings(session, abel)
    assert (schooling.status, schooling.credential) == ("graduated", "Regular")


def test_how_people_left_is_read_by_a_table_that_a_mapping_extends(
    session: Session, bring: Bring, north: School
) -> None:
    found = bring(CAMPUS, "campus.csv")
    assert [s.status for s in schoolings(session, person(session, "0002002"))] == ["left"]
    assert "“X9” has no meaning" in reasons(session, found)[3]
    more = bring(CAMPUS, "campus.csv", mapping={"values": {"endStatus": {"X9": "graduated"}}})
    assert [s.status for s in schoolings(session, person(session, "0002003"))] == ["graduated"]
    assert fates(more)["update"] == 1


def test_two_student_systems_speak_of_one_person(
    session: Session, bring: Bring, roster: ImportRun
) -> None:
    found = bring(CAMPUS, "campus.csv")
    assert fates(found) == {"create": 3, "update": 1}
    systems = session.scalars(
        text(
            "select system || ':' || value from external_id where alumnus_id = :id order by system"
        ),
        {"id": person(session, "0001234").id},
    ).all()
    assert systems == ["infinite_campus:70001", "sis:0001234", "state:GA0000000001"]


def test_a_roster_fills_a_town_but_never_replaces_one(
    session: Session, bring: Bring, roster: ImportRun
) -> None:
    moved = POWERSCHOOL.replace("Atlanta", "Elsewhere")
    found = bring(moved, "powerschool.txt")
    assert person(session, "0001234").city == "Atlanta"
    # The household's new postal address is added beside the old one.
    assert fates(found) == {"update": 3, "unchanged": 1, "skip": 1}


def test_lines_of_one_person_at_two_schools_make_one_person(
    session: Session, bring: Bring, north: School, make: Any
) -> None:
    other = make.school("South High School")
    lines = POWERSCHOOL.splitlines()
    moved = lines[4].replace("\t201\t", "\tSouth High School\t").replace("02/11/2025", "02/11/2024")
    found = bring("\n".join([lines[0], lines[4], moved]), "powerschool.txt")
    assert fates(found) == {"create": 1, "skip": 1}
    assert "same person as line 2" in reasons(session, found, Fate.SKIP)[0]
    (devon,) = everybody(session)
    assert {s.school_id for s in schoolings(session, devon)} == {north.id, other.id}


def test_a_roster_saved_by_excel_with_lost_zeros_still_means_the_same_people(
    session: Session, bring: Bring, roster: ImportRun
) -> None:
    bring(POWERSCHOOL.replace("\n000", "\n"), "powerschool.txt")
    assert len(everybody(session)) == 4


def test_an_id_that_excel_turned_into_a_number_is_refused(session: Session, bring: Bring) -> None:
    found = bring("Student Number,Name\n1.3E+11,Ada Mensah\n77,Bo Li\n")
    assert fates(found) == {"create": 1, "reject": 1}
    assert "spreadsheet turned into a number" in reasons(session, found)[0]


def test_the_dry_run_tells_the_same_fates_and_changes_nothing(
    session: Session, bring: Bring, north: School
) -> None:
    dry = bring(POWERSCHOOL, "powerschool.txt", dry_run=True)
    assert everybody(session) == []
    assert dry.state == "checked"
    wet = bring(POWERSCHOOL, "powerschool.txt")
    assert dry.totals == wet.totals


def test_a_mapping_can_be_a_file_of_json_or_yaml(
    run: Run, tmp_path: Path, session: Session
) -> None:
    roster = tmp_path / "list.csv"
    roster.write_text("Who,Club\nAda Mensah (x),Chess\n")
    mapping = tmp_path / "map.yaml"
    mapping.write_text("Who: name.full\nClub: {target: custom.club, targeting: true}\n")
    refused = run("people", "import", roster)
    assert refused.code == 1
    assert "list.csv:1: no column holds a name" in refused.stderr
    roster.write_text("Who,Club,Class\nAda Mensah,Chess,2011\n")
    answer = run("people", "import", roster, "--mapping", mapping)
    assert answer.report["created"] == 1
    assert everybody(session)[0].custom == {"club": "Chess"}
    assert session.scalars(text("select key from custom_field where targeting")).all() == ["club"]


def test_an_id_without_its_zeros_and_the_same_name_is_the_same_person(
    session: Session, bring: Bring
) -> None:
    bring("Student ID,Name\n00071,Ada Mensah\n")
    again = bring("Student ID,Name\n71,Ada Mensah\n", "again.csv")
    assert fates(again).get("create") is None
    assert len(everybody(session)) == 1


def test_a_year_of_two_digits_in_a_date_lies_in_the_hundred_years_that_end_now(
    session: Session, bring: Bring
) -> None:
    bring("Student ID,Name,Birth Date\n1,Ada Mensah,6/5/68\n2,Bo Li,6/5/04\n3,Cy Ray,5-Jun-27\n")
    born = [person.birth_date for person in everybody(session)]
    assert born == [date(1968, 6, 5), date(2004, 6, 5), date(1927, 6, 5)]
