"""The lists of other systems, each known by its columns, with the traps that it sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.consent.models import Suppression
from crm.core.errors import Refused
from crm.imports.layouts import LAYOUTS, detect
from crm.schools.models import School
from tests.crm.imports.conftest import (
    Bring,
    contacts,
    everybody,
    fates,
    person,
    reasons,
    schoolings,
)


def table(*rows: str) -> str:
    """Lines with `|` between columns, as CSV."""
    return "".join(",".join(f'"{cell}"' for cell in row.split("|")) + "\n" for row in rows)


@pytest.mark.parametrize("key", sorted(LAYOUTS))
def test_each_layout_knows_its_own_columns_and_no_two_mean_the_same_by_one_name(key: str) -> None:
    layout = LAYOUTS[key]
    assert detect(tuple(layout.signature)) is layout if layout.signature else True
    named = [name for names in layout.columns.values() for name in names]
    assert all(layout.target_of(name) for name in named)
    assert len({layout.target_of(name) for name in named}) == len(layout.columns)


ONEROSTER = table(
    "sourcedId|status|dateLastModified|enabledUser|orgSourcedIds|role|username|userIds|givenName|familyName|"
    "middleName|identifier|email|sms|phone|agentSourcedIds|grades|password",
    "s-1|active|2026-01-01|true|201|student|ada|{}|Ada|Byron||0007|ada@students.juniper.example|404-555-0101|"
    "404-555-0102|p-1|12|secret",
    "t-1|active|2026-01-01|true|201|teacher|tom|{}|Tom|Teach|||tom@juniper.example|||||",
    "g-1|active|2026-01-01|true|201|guardian|gus|{}|Gus|Byron|||gus@home.example|||||",
)


def test_oneroster_takes_students_and_neither_teachers_nor_passwords(
    session: Session, bring: Bring, north: School
) -> None:
    run = bring(ONEROSTER, "users.csv")
    assert (run.layout, fates(run)) == ("oneroster", {"create": 1, "skip": 2})
    ada = person(session, "0007")
    assert ada.class_year == 2026 + (run.created_at.month >= 8)
    (schooling,) = schoolings(session, ada)
    assert (schooling.school_id, schooling.status) == (north.id, "enrolled")
    owners = {key: owner for key, (owner, _) in contacts(session, ada).items()}
    assert owners["ada@students.juniper.example"] == "school"
    assert owners["+14045550101"] == "own"
    assert owners["+14045550102"] == "parent"
    assert "secret" not in str(vars(ada)) + str(run.mapping["columns"])


def graduates(*lines: str, count: int | None = None, closing: str = "PT3") -> str:
    """A Clearinghouse file of these lines."""
    rows = ["PH3|0012345|JUNIPER SCHOOLS|P|20260701|2026", *lines]
    if closing:
        rows.append(f"{closing}|{count or len(lines) + 2}")
    return "".join("\t".join(row.split("|")) + "\n" for row in rows)


ADA = (
    "PD3|0007|123-45-6789|Ada||Byron|||20080115|Regular Diploma|20260601|N|North High School|"
    "110201|F|5|N"
)
BLOCKED = ADA.replace("0007", "0008").replace("Ada", "Bea").replace("|N|North", "|Y|North")


def shifted(line: str) -> str:
    """The line with both previous names, so that columns stand where the guide has them."""
    return line.replace("|Byron|||20080115", "|Byron||Old|Olda|20080115")


def test_a_clearinghouse_file_needs_no_column_names(
    session: Session, bring: Bring, north: School
) -> None:
    run = bring(graduates(shifted(ADA), shifted(BLOCKED)), "grads.txt")
    assert (run.layout, fates(run)) == ("clearinghouse", {"create": 2})
    ada, bea = person(session, "0007"), person(session, "0008")
    assert (ada.given_name, ada.family_name, ada.former_name) == ("Ada", "Byron", "Old")
    assert (ada.class_year, ada.ferpa_block, bea.ferpa_block) == (2026, False, True)
    (schooling,) = schoolings(session, ada)
    assert (schooling.school_id, schooling.credential) == (north.id, "Regular Diploma")
    assert fates(bring(graduates(shifted(ADA), shifted(BLOCKED)), "grads.txt")) == {"unchanged": 2}


def test_identity_numbers_and_demographics_of_it_are_nowhere(
    session: Session, bring: Bring, north: School
) -> None:
    run = bring(graduates(shifted(ADA)), "grads.txt")
    unread = {c["title"] for c in run.mapping["columns"] if c["how"] == "not_read"}
    assert unread >= {"SSN", "Gender", "Ethnicity", "Economically Disadvantaged", "Disability"}
    assert "6789" not in str([vars(p) for p in everybody(session)]) + str(reasons(session, run))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (graduates(shifted(ADA), closing=""), "is broken off"),
        (graduates(shifted(ADA), count=9), "says that the file has “9” lines; it has 3"),
        (graduates(shifted(ADA)).replace("PT3\t3", "PT3\tx"), "says that the file has “x” lines"),
    ],
)
def test_a_clearinghouse_file_that_broke_off_is_refused_whole(
    session: Session, bring: Bring, text: str, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        bring(text, "grads.txt")


def test_a_line_with_another_tag_is_rejected_alone(
    session: Session, bring: Bring, north: School
) -> None:
    run = bring(graduates(shifted(ADA), "XX9|1"), "grads.txt")
    assert fates(run) == {"create": 1, "reject": 1}
    assert "begins with “XX9” where PD3 is expected" in reasons(session, run)[1]


TRACKER = table(
    "YOUR_UNIQUE_IDENTIFIER|FIRST_NAME|MIDDLE_NAME|LAST_NAME|REQ_RETURN_FIELD|RECORD_FOUND_Y/N|"
    "HIGH_SCHOOL_CODE|HIGH_SCHOOL_GRAD_DATE|COLLEGE_NAME|A2OR4YEAR|ENROLLMENT_STATUS|GRADUATED|"
    "GRADUATION_DATE|COLLEGE_SEQ",
    "0007_|ADA||BYRON||Y|110201|20200601|Harbor College|4|F|N||1",
    "0007_|ADA||BYRON||Y|110201|20200601|Harbor University|4|H|Y|20240510|2",
    "0008_|BEA||HILL||Y|110201|20200601|Harbor College|4|D|N||1",
    "0009_|CAL||REED||N|110201|20200601|||||||",
)


def test_studenttracker_tells_colleges_deaths_and_nothing_of_who_was_not_found(
    session: Session, bring: Bring
) -> None:
    run = bring(TRACKER, "12345_T123_SE_EFFDT_20260401_RUNDT_20260415.csv")
    assert run.layout == "studenttracker"
    ada, bea, cal = (person(session, key) for key in ("0007", "0008", "0009"))
    assert (ada.college, ada.class_year, ada.deceased) == ("Harbor University", 2020, False)
    assert bea.deceased
    assert (cal.college, cal.deceased) == (None, False)
    assert len(everybody(session)) == 3


def test_a_name_returned_in_capitals_is_no_other_name(session: Session, bring: Bring) -> None:
    bring("Student ID,First Name,Last Name\n7,Zoë,McQuellian\n8,BO,LI\n", "list.csv")
    heading = TRACKER.splitlines()[0]
    count = heading.count(",") - 3
    line = "{},{},," + "{}" + "," * count
    bring("\n".join([heading, line.format("7", "ZOË", "MCQUELLIAN"), line.format("8", "Bo", "LI")]),
          "returned.csv")  # fmt: skip
    zoe, bo = (person(session, key) for key in ("7", "8"))
    assert (zoe.given_name, zoe.family_name) == ("Zoë", "McQuellian")
    assert (bo.given_name, bo.family_name) == ("Bo", "LI")
    assert session.scalar(text("select count(*) from file_word")) == 0


def test_raisers_edge_keeps_addresses_among_phones(
    session: Session, bring: Bring, north: School
) -> None:
    run = bring(
        table(
            "ConsID|ImportID|FirstName|LastName|NickName|BDay|AddrLines|AddrCity|PhoneNum1|PhoneType1|"
            "PhoneNum2|PhoneType2|ESRSchoolName|ESRClassOf|ORFullName",
            "000123|00001-079|Ada|Byron|Addy|1/15/1980|1 Elm St|Milltown|404-555-0101|Home|"
            "ada@mail.example|Email|North High School|98|Harbor Hospital",
        ),
        "constituents.csv",
    )
    assert (run.layout, fates(run)) == ("raisers_edge", {"create": 1})
    ada = person(session, "000123")
    assert (ada.preferred_name, ada.class_year, ada.employer) == ("Addy", 1998, "Harbor Hospital")
    keys = contacts(session, ada)
    assert keys.keys() >= {"+14045550101", "ada@mail.example"}
    assert not any("@" in note or "phone" in note for note in reasons(session, run))


def test_nxt_reads_class_years_of_two_digits(session: Session, bring: Bring) -> None:
    run = bring(
        table("Lookup ID|System ID|First Name|Last Name|Class Year", "17|9|Ada|Byron|'04"), "a.csv"
    )
    assert (run.layout, person(session, "17").class_year) == ("raisers_edge_nxt", 2004)


def test_npsp_does_not_take_the_kind_of_an_address_for_one(session: Session, bring: Bring) -> None:
    run = bring(
        table(
            "Contact1 First Name|Contact1 Last Name|Contact1 Preferred Email|"
            "Contact1 Personal Email|Contact1 Work Email|Contact1 Mobile Phone|"
            "Home State/Province|Account1 Name",
            "Ada|Byron|Personal|ada@mail.example|ada@work.example|404-555-0101|GA|Harbor Hospital",
        )
    )
    (ada,) = everybody(session)
    assert (run.layout, ada.employer, ada.state) == ("npsp", "Harbor Hospital", "GA")
    assert contacts(session, ada).keys() >= {
        "ada@mail.example", "ada@work.example", "+14045550101",
    }  # fmt: skip
    assert "Preferred" not in "".join(reasons(session, run))


def test_eda_keeps_privacy_deaths_and_former_names(session: Session, bring: Bring) -> None:
    run = bring(
        table(
            "Contact ID|First Name|Last Name|Former Last Name|Primary Language|FERPA|"
            "Do Not Contact|Deceased|Alternate Email",
            "003A|Ada|Byron|Gordon|Spanish|TRUE|FALSE|FALSE|ada@mail.example",
            "003B|Bea|Hill|||FALSE|TRUE|TRUE|",
        )
    )
    ada, bea = person(session, "003A"), person(session, "003B")
    assert (run.layout, ada.former_name, ada.language) == ("eda", "Gordon", "es")
    assert (ada.ferpa_block, ada.do_not_contact, ada.deceased) == (True, False, False)
    assert (bea.ferpa_block, bea.do_not_contact, bea.deceased) == (False, True, True)


def test_civicrm_opt_outs_are_kept_and_what_is_no_person_is_not(
    session: Session, bring: Bring
) -> None:
    run = bring(
        table(
            "Contact ID|Contact Type|Contact Subtype|Do Not Email|No Bulk Emails (User Opt Out)|"
            "Legal Identifier|First Name|Last Name|Preferred Language|Deceased|"
            "Contact is in Trash|Home-Email",
            "5|Individual|Student|Yes|No|123-45-6789|Ada|Byron|es_ES|No|No|ada@mail.example",
            "6|Organization||No|No||Juniper|Club||No|No|club@mail.example",
            "7|Individual|Parent|No|No||Gus|Byron||No|No|gus@mail.example",
            "8|Individual||No|No||Cal|Reed||No|Yes|cal@mail.example",
        )
    )
    assert (run.layout, fates(run)) == ("civicrm", {"create": 1, "skip": 3})
    (ada,) = everybody(session)
    assert ada.language == "es"
    assert session.scalars(select(Suppression.address_key)).all() == ["ada@mail.example"]
    assert "6789" not in str(vars(ada))


def test_360alumni_is_known_by_its_class_year(session: Session, bring: Bring) -> None:
    run = bring(
        table(
            "Record ID|First Name|Last Name|Social Class Year|Preferred Phone|Mobile Phone",
            "77|Ada|Byron|1999|mobile|404-555-0101",
        )
    )
    ada = person(session, "77")
    assert (run.layout, ada.class_year) == ("360alumni", 1999)
    assert contacts(session, ada).keys() == {"+14045550101"}


def test_listmonk_blocklisted_addresses_stay_closed(session: Session, bring: Bring) -> None:
    run = bring(
        table(
            "uuid|email|name|attributes|status|created_at",
            "u-1|ada@mail.example|Ada Byron|{}|enabled|2026-01-01",
            "u-2|bea@mail.example|Bea Hill|{}|blocklisted|2026-01-01",
        )
    )
    assert (run.layout, fates(run)) == ("listmonk", {"create": 2})
    assert session.scalars(select(Suppression.address_key)).all() == ["bea@mail.example"]


def test_a_mapping_may_use_what_only_a_layout_used(
    session: Session, bring: Bring, tmp_path: Path
) -> None:
    bring(
        table("Name|Reach", "Ada Byron|ada@mail.example", "Bea Hill|404-555-0101"),
        mapping={"Reach": "phone_or_email"},
    )
    ada, bea = everybody(session)
    assert contacts(session, ada).keys() == {"ada@mail.example"}
    assert contacts(session, bea).keys() == {"+14045550101"}
