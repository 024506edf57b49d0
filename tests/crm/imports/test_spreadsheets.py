"""Lists kept by hand: usual names of columns, names in any shape, and who is who."""

from __future__ import annotations

from datetime import date

import pytest
from openpyxl import Workbook
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.alumni.models import ContactStatus
from crm.alumni.service import edit_profile
from crm.imports.models import Fate
from crm.schools.models import School
from tests.crm.imports.conftest import (
    DATA,
    Bring,
    contacts,
    everybody,
    fates,
    person,
    reasons,
    schoolings,
)
from tests.factories import Make

OFFICE = (DATA / "office.csv").read_text()


def test_plain_columns_are_understood(session: Session, bring: Bring, make: Make) -> None:
    school = make.school("Booker T. Washington High School")
    found = bring(OFFICE)
    assert fates(found) == {"create": 4}
    booker, sukarno, wang, formula = everybody(session)
    assert (booker.given_name, booker.family_name, booker.class_year) == (
        "Booker", "Washington", 1998,
    )  # fmt: skip
    assert schoolings(session, booker)[0].school_id == school.id
    assert schoolings(session, booker)[0].status == "graduated"
    assert contacts(session, booker) == {
        "booker@mail.example": ("own", True), "+14045550110": ("own", True),
    }  # fmt: skip
    assert (sukarno.full_name, wang.full_name) == ("Sukarno", "王小明")
    assert wang.ferpa_block
    assert wang.class_year == 1985
    assert "HYPERLINK" in formula.full_name


def test_a_no_to_mail_goes_to_the_ledger_and_the_suppressions(
    session: Session, bring: Bring
) -> None:
    bring(OFFICE)
    assert session.scalars(text("select address_key from suppression")).all() == [
        "sukarno@mail.example"
    ]
    entries = session.execute(text("select topic_key, state, source from consent_entry")).all()
    assert [tuple(entry) for entry in entries] == [(None, "withdrawn", "import")]
    assert fates(bring(OFFICE)) == {"unchanged": 4}


@pytest.mark.parametrize(
    ("line", "year"),
    [
        ("05", 2005), ("39", 2039), ("40", 1940), ("'99", 1999), ("2014-15", 2015),
        ("Class of 2012", 2012),
    ],
)  # fmt: skip
def test_class_years_of_two_digits_have_a_cutoff(
    session: Session, bring: Bring, line: str, year: int
) -> None:
    bring(f"Name,Class,Email\nAda Mensah,{line},ada@mail.example\n")
    assert everybody(session)[0].class_year == year


@pytest.mark.parametrize(
    "written",
    [
        "2001-03-04", "3/4/2001", "03/04/01", "20010304", "4-Mar-01", "March 4, 2001",
        "2001-03-04T00:00",
    ],
)  # fmt: skip
def test_dates_come_in_many_forms(session: Session, bring: Bring, written: str) -> None:
    bring(f'Name,Birth Date\nAda Mensah,"{written}"\n')
    assert everybody(session)[0].birth_date == date(2001, 3, 4)


def test_a_cell_that_cannot_be_read_is_left_out_and_said(session: Session, bring: Bring) -> None:
    found = bring("Name,Class,Email,Birth Date\nAda Mensah,2011,not an address,31/31/2010\n")
    (reason,) = reasons(session, found)
    assert "Email “not an address” is no e-mail address; left out" in reason
    assert "Birth Date “31/31/2010” is no date" in reason
    assert fates(found) == {"create": 1}


def test_a_blank_cell_is_no_news(session: Session, bring: Bring) -> None:
    bring("ID,Name,City,Class\n7,Ada Mensah,Atlanta,2011\n")
    assert fates(bring("ID,Name,City,Class\n7,Ada Mensah,,\n")) == {"unchanged": 1}
    assert everybody(session)[0].city == "Atlanta"


def test_staff_in_a_file_of_students_are_skipped(session: Session, bring: Bring) -> None:
    found = bring("ID,Name,Role\n1,Ada Mensah,student\n2,Bo Li,Teacher\n3,Cy Ray,Alumni\n")
    assert fates(found) == {"create": 2, "skip": 1}
    assert reasons(session, found, Fate.SKIP) == ["is a teacher, not a student"]


def test_a_line_that_could_be_anybody_is_rejected(session: Session, bring: Bring) -> None:
    found = bring("Name,City,Class\nAda Mensah,Atlanta,\n,Atlanta,2011\nBo Li,,2011\n")
    assert fates(found) == {"create": 1, "reject": 2}
    assert reasons(session, found, Fate.REJECT)[1] == "has no name"


def test_an_own_address_and_the_family_name_mean_the_person_we_know(
    session: Session, bring: Bring, make: Make
) -> None:
    ada = make.alumnus("Ada", "Mensah", email="ada@mail.example", city=None)
    found = bring("Name,Email,City\nAda Mensah,ADA@mail.example,Macon\n")
    assert fates(found) == {"update": 1}
    session.refresh(ada)
    assert ada.city == "Macon"


def test_a_new_family_name_is_known_by_the_former_one(
    session: Session, bring: Bring, make: Make
) -> None:
    make.alumnus("Ada", "Mensah", email="ada@mail.example")
    found = bring("First Name,Last Name,Maiden Name,Email\nAda,Osei,Mensah,ada@mail.example\n")
    assert fates(found) == {"update": 1}
    (ada,) = everybody(session)
    assert (ada.family_name, ada.former_name) == ("Osei", "Mensah")
    assert ada.name_key == "ada osei mensah"
    assert ada.sort_key == "osei ada"


def test_brothers_who_share_an_address_are_two_people(
    session: Session, bring: Bring, make: Make
) -> None:
    make.alumnus("Ada", "Mensah", email="family@mail.example", birth_date=date(2000, 1, 1))
    doubtful = bring("Name,Email\nBen Mensah,family@mail.example\n")
    assert fates(doubtful) == {"conflict": 1}
    assert "add an id or a birth date" in reasons(session, doubtful)[0]
    sure = bring("Name,Email,DOB\nBen Mensah,family@mail.example,2/2/2002\n")
    assert fates(sure) == {"create": 1}


def test_name_and_birth_date_or_school_and_class_mean_the_person_we_know(
    session: Session, bring: Bring, north: School, make: Make
) -> None:
    make.alumnus("Ada", "Mensah", school=north, class_year=2015, birth_date=date(1997, 5, 6))
    assert fates(bring("Name,DOB\nAda Mensah,5/6/1997\n")) == {"unchanged": 1}
    assert fates(bring("Name,School,Class\nADA MENSAH,North HS,2015\n")) == {"unchanged": 1}
    assert len(everybody(session)) == 1


def test_people_who_cannot_be_told_apart_are_a_conflict(
    session: Session, bring: Bring, north: School, make: Make
) -> None:
    first = make.alumnus("Ada", "Mensah", school=north, class_year=2015)
    second = make.alumnus("Ada", "Mensah", school=north, class_year=2015)
    found = bring("Name,School,Class,City\nAda Mensah,North HS,2015,Macon\n")
    assert fates(found) == {"conflict": 1}
    assert reasons(session, found) == [f"fits several people: #{first.id} and #{second.id}"]


def test_ids_outrank_names(session: Session, bring: Bring) -> None:
    bring("Student ID,Name,DOB\n1,Ada Mensah,5/6/1997\n")
    assert fates(bring("Student ID,Name,DOB\n2,Ada Mensah,5/6/1997\n")) == {"create": 1}
    renamed = bring("Student ID,Name\n1,Ada Osei\n")
    assert fates(renamed) == {"update": 1}
    assert person(session, "1").family_name == "Osei"


def test_two_ids_of_two_people_on_one_line_are_a_conflict(session: Session, bring: Bring) -> None:
    bring("Student ID,State ID,Name\n1,,Ada Mensah\n,S2,Bo Li\n")
    found = bring("Student ID,State ID,Name\n1,S2,Ada Mensah\n")
    assert fates(found) == {"conflict": 1}
    assert "belong to two people" in reasons(session, found)[0]


def test_a_person_on_several_lines_is_one_person(session: Session, bring: Bring) -> None:
    found = bring(
        "Student ID,Name,DOB,Email,City\n"
        "5,Ada Mensah,5/6/1997,,Atlanta\n"
        ",Ada Mensah,5/6/1997,ada@mail.example,\n"
        ",Ada Mensah,,ADA@mail.example,Macon\n"
        ",Bo Li,1/1/1990,,\n"
        ",Bo Li,1/1/1990,bo@mail.example,\n"
    )
    assert fates(found) == {"create": 2, "skip": 3}
    ada, bo = everybody(session)
    assert (ada.city, list(contacts(session, ada))) == ("Macon", ["ada@mail.example"])
    assert list(contacts(session, bo)) == ["bo@mail.example"]


def test_what_people_told_us_by_link_is_not_replaced_by_a_file(
    session: Session, bring: Bring, make: Make, now: object
) -> None:
    ada = make.alumnus("Ada", "Mensah", email="ada@mail.example", external_id="7")
    changes = {"city": "Macon", "employer": "Delta"}
    edit_profile(session, ada, changes, by=None, at=make.at, source="link")
    bring("Student ID,Name,City,Employer,College\n7,Ada Mensah,Atlanta,Coca-Cola,Spelman\n")
    session.refresh(ada)
    assert (ada.city, ada.employer, ada.college) == ("Macon", "Delta", "Spelman")


def test_a_new_address_is_added_and_the_preferred_one_kept(
    session: Session, bring: Bring, make: Make
) -> None:
    ada = make.alumnus("Ada", "Mensah", email="ada@mail.example", external_id="7")
    make.email(ada, "old@mail.example", preferred=False, status=ContactStatus.RETIRED)
    bring("Student ID,Name,Email\n7,Ada Mensah,new@mail.example\n7,Ada Mensah,old@mail.example\n")
    found = contacts(session, ada)
    assert found["ada@mail.example"] == ("own", True)
    assert found["new@mail.example"] == ("own", False)


def test_ways_and_subjects_are_read_by_their_names(session: Session, bring: Bring) -> None:
    found = bring(
        'ID,Name,Ways to Help,Subjects\n1,Ada Mensah,"Tutor; speak to a class; fly",Law\n'
    )
    keys = session.scalars(text("select kind || ':' || key from interest order by 1")).all()
    assert keys == ["subject:law", "way:speak", "way:tutor"]
    assert "“fly” is not known" in reasons(session, found)[0]


def test_an_excel_workbook_keeps_zeros_dates_and_whole_numbers(
    session: Session, bring: Bring, tmp_path: object
) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Student Number", "Name", "Birth Date", "Class"])
    sheet.append([42, "Ada Mensah", date(1997, 5, 6), 2015.0])
    sheet["A2"].number_format = "000000"
    sheet.append(["007", "Bo Li", None, 2016])
    path = f"{tmp_path}/people.xlsx"
    book.save(path)
    with open(path, "rb") as handle:
        found = bring(handle.read(), "again.xlsx")
    assert fates(found) == {"create": 2}
    ada = person(session, "000042")
    assert (ada.birth_date, ada.class_year) == (date(1997, 5, 6), 2015)
    assert person(session, "007").family_name == "Li"


def test_columns_that_come_twice_can_be_told_apart(session: Session, bring: Bring) -> None:
    bring("ID,Name,Email,Email\n1,Ada Mensah,a@mail.example,b@mail.example\n")
    assert set(contacts(session, everybody(session)[0])) == {"a@mail.example", "b@mail.example"}
