"""The traps that real files set, each through the command that a district runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.consent.models import ConsentEntry, Suppression
from crm.consent.queries import left_everything
from crm.imports.models import Fate, ImportLine
from crm.schools.models import School
from tests.crm.imports.conftest import Command, contacts, everybody, person, schoolings
from tests.crm.imports.test_layouts import table

Import = Callable[..., Command]


@pytest.fixture
def people(run: Callable[..., Command], tmp_path: Path) -> Import:
    """`people import` of a file with this content."""

    def people(content: str | bytes, *options: str, name: str = "list.csv") -> Command:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run("people", "import", path, *options)

    return people


def lines(session: Session, answer: Command) -> list[ImportLine]:
    statement = select(ImportLine).where(ImportLine.import_id == answer.report["import_id"])
    return list(session.scalars(statement.order_by(ImportLine.line)))


def closed(session: Session) -> set[str]:
    return set(session.scalars(select(Suppression.address_key)))


@pytest.mark.parametrize(
    "name",
    ["Ann & Bob Smith", "Ann and Bob Smith", "Mr. and Mrs. Bob Smith", "Ann Smith/Bob Hill",
     "Ann + Bob Smith", "Ann Smith & Bob Hill"],
)  # fmt: skip
def test_two_people_in_one_line_make_nobody_and_are_left_to_a_human(
    session: Session, people: Import, name: str
) -> None:
    answer = people(f"Name,Class,Email\n{name},2001,ann@mail.example\nJosé Ortega y Gasset,2001,\n")
    assert (answer.report["created"], answer.report["conflicts"]) == (1, 1)
    assert f"list.csv:2: “{name}” names two people" in answer.stderr
    assert [p.family_name for p in everybody(session)] == ["Ortega y Gasset"]


def test_a_couple_in_the_column_of_given_names_is_two_people_too(
    session: Session, people: Import
) -> None:
    answer = people("First Name,Last Name,Class\nAnn & Bob,Smith,2001\n")
    assert answer.report["conflicts"] == 1
    assert everybody(session) == []


def test_of_two_addresses_in_one_cell_the_first_is_kept_and_the_other_named(
    session: Session, people: Import
) -> None:
    answer = people('ID,Name,Email\n1,Ada Mensah,"ada@mail.example; a.mensah@work.example"\n')
    assert contacts(session, everybody(session)[0]).keys() == {"ada@mail.example"}
    (line,) = lines(session, answer)
    assert "holds several addresses; a.mensah@work.example was left out" in (line.reason or "")


def test_a_no_counts_even_on_a_line_that_finds_nobody(session: Session, people: Import) -> None:
    answer = people(
        "Name,Class,Email,Do Not Email,Unsubscribed,Role\n"
        "Ann & Bob Smith,2001,ann@mail.example,Y,,\n"
        ",,who@mail.example,,Y,\n"
        "Tom Teach,,tom@mail.example,,Y,Teacher\n"
        "Cal Reed & Di Fu,2001,cal@mail.example,,,\n"
    )
    assert answer.code == 0 or answer.report["created"] == 0
    assert closed(session) == {"ann@mail.example", "who@mail.example", "tom@mail.example"}


def test_of_two_columns_that_may_say_no_a_yes_to_one_is_not_hidden_by_the_other(
    session: Session, people: Import
) -> None:
    people("ID,Name,Opt Out,Unsubscribed,Opt In,Newsletter\n1,Ada,No,Yes,,\n2,Bo,No,No,Yes,No\n")
    assert [left_everything(session, p.id) for p in everybody(session)] == [True, True]


REFUSALS: dict[str, tuple[str, str]] = {
    "powerschool": (
        "Student_Number|First_Name|Last_Name|SchoolID|Enroll_Status|FERPA", "1|Ada|Byron|201|3|Y",
    ),
    "infinite_campus": (
        "personID|stateID|endStatus|firstName|lastName|privacyFlag", "1|S1|G|Ada|Byron|true",
    ),
    "clearinghouse": (
        "Student ID|First Name|Last Name|Diploma Type|FERPA Block|ACT Code",
        "1|Ada|Byron|Regular|Y|110201",
    ),
    "studenttracker": (
        "UNIQUE_ID|FIRST_NAME|LAST_NAME|REQ_RETURN_FIELD|ENROLL_STATUS|COLLEGE_SEQ|ENROLL_BEGIN",
        "1|Ada|Byron||D|1|20200801",
    ),
    "raisers_edge": (
        "ConsID|ImportID|FirstName|LastName|PhoneNum1|PhoneType1|NoEmail",
        "1|2|Ada|Byron|ada@mail.example|Email|Yes",
    ),
    "raisers_edge_nxt": (
        "Lookup ID|System ID|First Name|Last Name|Email|Requests no email",
        "1|2|Ada|Byron|ada@mail.example|Yes",
    ),
    "npsp": (
        "Contact1 First Name|Contact1 Last Name|Contact1 Personal Email|Contact1 Email Opt Out",
        "Ada|Byron|ada@mail.example|1",
    ),
    "eda": (
        "ID|Name|hed__Former_Last_Name__c|FERPA|Primary Language|Email|HasOptedOutOfEmail",
        "1|Ada Byron|Gordon|No|English|ada@mail.example|true",
    ),
    "civicrm": (
        "Contact ID|Contact Type|Display Name|Do Not Email|Do Not Trade|No Bulk Emails|Email",
        "1|Individual|Ada Byron|No|No|Yes|ada@mail.example",
    ),
    "360alumni": (
        "Record ID|Social Class Year|First Name|Last Name|Email|Unsubscribed",
        "1|1999|Ada|Byron|ada@mail.example|Yes",
    ),
    "listmonk": (
        "uuid|email|name|attributes|status", "1|ada@mail.example|Ada Byron|{}|blocklisted",
    ),
    "spreadsheet": ("ID|Name|Email|UNSUB_TIME", "1|Ada Byron|ada@mail.example|2025-01-02 10:11"),
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(REFUSALS))
def test_the_word_that_each_system_has_for_a_no_is_understood(
    session: Session, people: Import, key: str
) -> None:
    answer = people(table(*REFUSALS[key]))
    assert (answer.report["layout"], answer.report["created"]) == (key, 1)
    (ada,) = everybody(session)
    blocked = ada.ferpa_block or ada.deceased
    assert blocked or left_everything(session, ada.id)


def test_a_ledger_entry_names_the_import_the_file_and_the_line(
    session: Session, people: Import
) -> None:
    answer = people("ID,Name,Email,Do Not Email\n1,Ada,a@mail.example,\n2,Bo,b@mail.example,Y\n")
    (entry,) = session.scalars(select(ConsentEntry))
    assert (entry.source, entry.reference) == ("import", f"import:{answer.report['import_id']}")
    assert entry.wording == "list.csv, line 3"
    (address,) = session.scalars(select(Suppression))
    assert address.source == f"import:{answer.report['import_id']} list.csv, line 3"


def test_what_looks_like_an_identity_number_is_kept_nowhere_whatever_its_column_is_called(
    session: Session, people: Import, tmp_path: Path
) -> None:
    mapping = tmp_path / "map.json"
    mapping.write_text('{"Note": "custom.note"}')
    answer = people(
        "ID,Name,Note\n1,Ada Mensah,is 123-45-6789 ok\n2,Bo Li,404-555-0101\n",
        "--mapping", str(mapping),
    )  # fmt: skip
    ada, bo = everybody(session)
    assert (ada.custom, bo.custom) == ({}, {"note": "404-555-0101"})
    assert "looks like a social security number" in (lines(session, answer)[0].reason or "")
    kept = session.scalars(text("select to_jsonb(l)::text from import_line l")).all()
    assert not any("6789" in row for row in kept)


def test_the_year_of_a_college_is_not_the_class_of_a_school(
    session: Session, people: Import, north: School
) -> None:
    people(
        table(
            "ConsID|ImportID|FirstName|LastName|ESRSchoolName|ESRClassOf|ESRDegree|PhoneNum1",
            "1|1|Ada|Byron|Spelman College|2002|BA|404-555-0101",
            "2|2|Bea|Hill|North High School|1998|Diploma|404-555-0102",
            "3|3|Cal|Reed|Harbor Early College High School|1997||404-555-0103",
        )
    )
    ada, bea, cal = (person(session, key) for key in "123")
    assert (ada.college, ada.class_year, schoolings(session, ada)) == ("Spelman College", None, [])
    assert (bea.college, bea.class_year) == (None, 1998)
    assert (cal.college, cal.class_year) == (None, 1997), "that is a high school"


def test_a_household_is_nobodys_employer(session: Session, people: Import) -> None:
    people(
        table(
            "Contact1 First Name|Contact1 Last Name|Contact1 Personal Email|Account1 Name",
            "Ada|Byron|ada@mail.example|Byron Household",
            "Bea|Hill|bea@mail.example|Household Goods Inc.",
        )
    )
    assert [p.employer for p in everybody(session)] == [None, "Household Goods Inc."]


def test_nobody_but_students_comes_out_of_oneroster(session: Session, people: Import) -> None:
    head = "sourcedId|status|orgSourcedIds|role|userIds|givenName|familyName|agentSourcedIds"
    roles = ("administrator", "aide", "guardian", "parent", "proctor", "relative", "teacher",
             "siteAdministrator")  # fmt: skip
    rows = [f"{n}|active|1|{role}||Ada|Byron{n}|" for n, role in enumerate(roles)]
    answer = people(table(head, *rows, "99|active|1|student||Bea|Hill|"))
    assert (answer.report["created"], answer.report["skipped"]) == (1, len(roles))


def test_a_broken_file_names_line_and_reason_as_json_too(people: Import) -> None:
    answer = people('ID,Name\n1,Ada\n2,"Bo\n')
    assert answer.code == 1
    assert any("list.csv:3: a quotation mark" in fault for fault in answer.report["error"])


def test_a_wrong_layout_is_wrong_usage(people: Import) -> None:
    assert people("ID,Name\n1,Ada\n", "--layout", "none").code == 2


def test_each_fate_has_its_count(people: Import) -> None:
    report = people("ID,Name\n1,Ada\n1,Ada\n,Bo\n").report
    keys = ("import_id", "created", "updated", "unchanged", "skipped", "conflicts", "rejected")
    assert {key: report[key] for key in keys[1:]} == {
        "created": 1, "updated": 0, "unchanged": 0, "skipped": 1, "conflicts": 0, "rejected": 1,
    }  # fmt: skip
    assert report["import_id"] > 0


def test_a_line_that_a_file_rejects_is_named_with_its_fate(
    session: Session, people: Import
) -> None:
    answer = people("ID,Name\n1,Ada\n2\n")
    assert [line.fate for line in lines(session, answer)] == [Fate.CREATE, Fate.REJECT]
    assert "list.csv:3: has 1 columns where the first line names 2" in answer.stderr


def test_lines_that_share_everything_but_the_birth_date_are_left_to_a_human(
    session: Session, people: Import
) -> None:
    answer = people(
        "Name,Email,Birth Date\n"
        "Ada Mensah,ada@mail.example,2000-01-02\n"
        "Ada Mensah,ada@mail.example,\n"
        "Ada Mensah,ada@mail.example,2001-03-04\n"
    )
    assert (answer.report["created"], answer.report["conflicts"]) == (0, 3)


def test_a_mark_that_a_file_set_is_lifted_by_no_later_file(
    session: Session, people: Import
) -> None:
    head = "Student ID,Name,City,FERPA Block,Deceased,Do Not Contact\n"
    people(f"{head}1,Ada Mensah,Macon,Y,Y,Y\n")
    for later in ("1,Ada Mensah,Atlanta,N,N,N\n", "1,Ada Mensah,Albany,,,\n"):
        people(head + later, name=f"{later[13:16]}.csv")
        (ada,) = everybody(session)
        assert (ada.ferpa_block, ada.deceased, ada.do_not_contact) == (True, True, True)
    assert ada.city == "Albany"


def test_one_name_is_a_whole_name_even_if_it_looks_like_a_title(
    session: Session, people: Import
) -> None:
    answer = people("Student ID,Name\n1,Sukarno\n2,Prince\n3,Queen\n")
    assert (answer.report["created"], answer.report["rejected"]) == (3, 0)
    assert [person.full_name for person in everybody(session)] == ["Sukarno", "Prince", "Queen"]
