"""The same file again: what is known of its lines is what reading them in full would find."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from crm.alumni.models import ContactPoint, ExternalId, Schooling
from crm.alumni.service import edit_profile, put_email, set_interests
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge, unmerge
from crm.imports.models import ImportLine, ImportRun, RememberedFile
from crm.imports.people import remembering
from crm.imports.undoing import undo_import
from crm.rights.erasing import erase
from crm.schools.models import School
from crm.schools.service import SchoolFacts, save_schools
from tests.crm.imports.conftest import Bring, fates, person
from tests.crm.imports.test_concurrency import bring as bring_into
from tests.crm.imports.test_concurrency import own_app as own_app
from tests.crm.imports.test_layouts import table

HEAD = (
    "Student ID|State ID|First Name|Last Name|School|Class Year|Email|Home Phone|City|Ways to Help"
)
ADA = "0007|A7|Ada|Byron|201|2010|ada@mail.example|404-555-0107|Milltown|mentor"
BEA = "0008|A8|Bea|Hill|201|2011|bea@mail.example||Oakdale|"
CAL = "0009|A9|Cal|Imani|201|2012|cal@mail.example|||"
DAN = "0010|B1|Dan|Osei|201|2013|dan@mail.example|||"


def plain(*lines: str) -> str:
    """A file without quotation marks."""
    return "".join(line.replace("|", ",") + "\n" for line in lines)


FILE = plain(HEAD, ADA, BEA, CAL, DAN)


@pytest.fixture
def full(session: Session, north: School, bring: Bring) -> Callable[..., list[tuple[Any, ...]]]:
    """Brings a file twice, with and without what is remembered; answers what became of its lines.

    Each time everything is rolled back. Both ways must find the same.
    """

    def lines(content: str, **options: Any) -> list[tuple[Any, ...]]:
        run = bring(content, **options)
        found = session.execute(
            select(
                ImportLine.line, ImportLine.fate, ImportLine.reason, ImportLine.external_id,
                ImportLine.changes,
            ).where(ImportLine.import_id == run.id).order_by(ImportLine.line)
        ).all()  # fmt: skip
        return [tuple(row) for row in found]

    def full(content: str, **options: Any) -> list[tuple[Any, ...]]:
        found = []
        for forgetful in (False, True):
            point = session.begin_nested()
            if forgetful:
                session.execute(delete(RememberedFile))
            found.append(lines(content, **options))
            point.rollback()
            session.expire_all()
        assert found[0] == found[1]
        return found[0]

    return full


def settled(session: Session, run: ImportRun) -> int:
    """How many lines of the import, which is the last one, were known."""
    assert run.totals
    return int(session.scalar(text("select count(*) from import_settled")) or 0)


def changed(lines: list[tuple[Any, ...]]) -> list[int]:
    return [line for line, fate, *_ in lines if fate != "unchanged"]


def test_the_same_file_again_is_known_line_by_line(
    session: Session, north: School, bring: Bring, full: Any
) -> None:
    bring(FILE)
    assert changed(full(FILE)) == []
    again = bring(FILE)
    assert fates(again) == {"unchanged": 4}
    assert settled(session, again) == 4
    ids = session.execute(
        select(ImportLine.external_id, ImportLine.alumnus_id).where(
            ImportLine.import_id == again.id
        )
    ).all()
    assert [(i, person(session, i).id) for i, _ in ids] == [tuple(row) for row in ids]


def test_a_dry_run_knows_them_as_well(session: Session, north: School, bring: Bring) -> None:
    bring(FILE)
    checked = bring(FILE, dry_run=True)
    assert fates(checked) == {"unchanged": 4}
    assert settled(session, checked) == 4
    assert settled(session, bring(FILE)) == 4


def test_quotes_endings_and_delimiters_make_no_other_line(
    session: Session, north: School, bring: Bring
) -> None:
    bring(FILE)
    for other in (table(HEAD, ADA, BEA, CAL, DAN), FILE.replace("\n", "\r\n"), FILE[:-1]):
        assert settled(session, bring(other)) == 4
    assert settled(session, bring(FILE.replace(",", ";"))) == 4
    assert settled(session, bring(FILE.replace(",", "\t"), name="list.tsv")) == 4


@pytest.mark.parametrize(
    "sign", ["\\", "\\N", "\\.", "\\t", "\x1e", "\x1f", "\x02", "\t", "é", "\ufeff"]
)
def test_any_sign_stands_for_itself(bring: Bring, full: Any, sign: str) -> None:
    odd = [BEA.replace("Bea", sign + "Bea"), CAL + sign, DAN.replace("Osei", f"O{sign}sei")]
    bring(plain(HEAD, ADA, *odd))
    assert changed(full(plain(HEAD, ADA, *odd))) == []
    full(plain(HEAD, ADA, sign, BEA, *odd[1:]))
    full(plain(HEAD, ADA.replace(f"7{'|'}A", f"7{sign}A"), *odd))


def test_a_sign_that_splits_a_line_under_its_digest_makes_no_other_line_of_it(
    session: Session, bring: Bring
) -> None:
    bring("Student ID,First Name,Last Name\n7,Ada\x1fByron,Lee\n8,Bea,Hill\n")
    split = "Student ID,First Name,Last Name\n7\x1fAda,Byron,Lee\n8,Bea,Hill\n"
    assert settled(session, bring(split)) == 1
    assert settled(session, bring("Student ID,First Name,Last Name\n8,Bea,Hill\n")) == 1


def test_lines_with_something_to_say_are_read_again(
    session: Session, north: School, bring: Bring, full: Any
) -> None:
    odd = BEA.replace("2011", "the year 11")
    bring(plain(HEAD, ADA, odd, CAL, DAN))
    lines = full(plain(HEAD, ADA, odd, CAL, DAN))
    assert "no date" in lines[1][2]


EDIT = {"by": SYSTEM, "source": "staff"}


def rename(session: Session, at: datetime) -> None:
    edit_profile(session, person(session, "0007"), {"family_name": "King"}, at=at, **EDIT)


def move_by_link(session: Session, at: datetime) -> None:
    edit_profile(
        session, person(session, "0007"), {"family_name": "King"}, by=None, at=at, source="link"
    )


def add_address(session: Session, at: datetime) -> None:
    put_email(
        session, person(session, "0007"), "new@mail.example", owner="own", preferred=True,
        source="staff", at=at,
    )  # fmt: skip


def lose_address(session: Session, at: datetime) -> None:
    who = person(session, "0007").id
    session.execute(delete(ContactPoint).where(ContactPoint.alumnus_id == who))


def lose_id(session: Session, at: datetime) -> None:
    session.execute(delete(ExternalId).where(ExternalId.value == "A7"))


def lose_every_id(session: Session, at: datetime) -> None:
    session.execute(delete(ExternalId).where(ExternalId.alumnus_id == person(session, "0007").id))


def lose_schooling(session: Session, at: datetime) -> None:
    session.execute(delete(Schooling).where(Schooling.alumnus_id == person(session, "0007").id))


def lose_interest(session: Session, at: datetime) -> None:
    set_interests(session, person(session, "0007").id, kind="way", keys=[], source="staff", at=at)


def become_one(session: Session, at: datetime) -> None:
    kept, gone = person(session, "0008").id, person(session, "0007").id
    merge(session, kept, gone, at=at, by=SYSTEM)


def become_one_and_two_again(session: Session, at: datetime) -> None:
    kept, gone = person(session, "0008").id, person(session, "0007").id
    unmerge(session, merge(session, kept, gone, at=at, by=SYSTEM).id, at=at, by=SYSTEM)


def be_forgotten(session: Session, at: datetime) -> None:
    erase(session, person(session, "0007").id, at=at, by=SYSTEM)


def undo(session: Session, at: datetime) -> None:
    run = session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(1)).one()
    undo_import(session, run, at=at, by=SYSTEM)


def swap_ids(session: Session, at: datetime) -> None:
    session.execute(
        text("update external_id set alumnus_id = :who where value = 'A7'"),
        {"who": person(session, "0008").id},
    )


@pytest.mark.parametrize(
    "deed",
    [
        rename, move_by_link, add_address, lose_address, lose_id, lose_every_id, lose_schooling,
        lose_interest, become_one, become_one_and_two_again, be_forgotten, undo, swap_ids,
    ],
)  # fmt: skip
def test_whatever_happens_in_between_the_file_is_read_as_if_nothing_were_known(
    session: Session, bring: Bring, full: Any, now: datetime, deed: Any
) -> None:
    bring(FILE)
    deed(session, now + timedelta(hours=1))
    session.flush()
    session.expire_all()
    full(FILE)


def test_what_was_edited_in_between_is_read_again(
    session: Session, bring: Bring, full: Any, now: datetime
) -> None:
    bring(FILE)
    rename(session, now)
    session.flush()
    assert changed(full(FILE)) == [2]
    again = bring(FILE)
    assert settled(session, again) == 3
    assert fates(again) == {"update": 1, "unchanged": 3}
    assert settled(session, bring(FILE)) == 4


@pytest.mark.parametrize(
    "lines",
    [
        (ADA.replace("Milltown", "Springfield"), BEA, CAL, DAN),
        (ADA, BEA, CAL, DAN, "0011|B2|Eve|Park|201|2014||||"),
        (ADA, BEA, CAL, DAN, DAN),
        (ADA, BEA, CAL, DAN, "0010||Dan|Osei|201|2013|dan@else.example|||"),
        (ADA, BEA, CAL, DAN, "|B1|Dan|Osei|201|2013|dan@else.example|||"),
        (ADA, BEA, CAL, DAN, "0010|A7|Dan|Byron|201|2013||||"),
        (ADA, BEA, CAL, DAN, "0099|A7|Dan|Byron|201|2013||||", "0099|C1|Dan|Byron|201|2013||||"),
        (ADA, BEA, CAL, DAN, "||Ada|Byron|201|2010|ada@mail.example|||"),
        (ADA, BEA, CAL, DAN, "||Ada|Byron||2010||||"),
        (ADA, BEA, CAL, "|||||||||", DAN, "0012|too|few"),
        (ADA, "", BEA, CAL, DAN, "", ""),
        (ADA, BEA, CAL, DAN + "|", DAN + "||x"),
        (BEA, CAL, DAN),
    ],
)
def test_lines_that_are_new_are_read_beside_those_that_are_known(
    bring: Bring, full: Any, lines: tuple[str, ...]
) -> None:
    bring(FILE)
    full(plain(HEAD, *lines))
    full(table(HEAD, *lines))


def test_a_new_line_of_a_known_person_is_read_together_with_theirs(bring: Bring, full: Any) -> None:
    bring(FILE)
    both = full(plain(HEAD, ADA, BEA, CAL, DAN, "0010||Dan|Osei|201|2013|d@else.example|||"))
    assert [fate for _, fate, *_ in both][3:] == ["update", "skip"]


def test_another_file_about_them_makes_their_lines_unknown(
    session: Session, bring: Bring, full: Any
) -> None:
    bring(FILE)
    bring("Student ID,Name,Job Title,City\n0007,Ada Byron,Pilot,Springfield\n", name="jobs.csv")
    assert changed(full(FILE)) == [2]


def test_a_new_school_a_new_year_and_a_new_release_know_no_line(
    session: Session, bring: Bring, full: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(FILE)
    assert settled(session, bring(FILE, at=now + timedelta(days=1))) == 4
    assert settled(session, bring(FILE, at=now + timedelta(days=400))) == 0
    bring(FILE)
    save_schools(session, [SchoolFacts("South High School", codes=("202",))], at=now)
    assert settled(session, bring(FILE)) == 0
    assert settled(session, bring(FILE)) == 4
    monkeypatch.setattr(remembering, "_code", lambda: "another release")
    assert settled(session, bring(FILE)) == 0
    assert settled(session, bring(FILE)) == 4
    session.execute(text("delete from person_touch"))
    assert len(session.scalars(select(RememberedFile)).all()) == 1


def test_tidying_forgets_what_everybody_has_seen_and_nothing_else(
    session: Session, bring: Bring, full: Any, now: datetime
) -> None:
    bring(FILE)
    rename(session, now)
    session.flush()
    remembering.tidy_memory(session, now - timedelta(days=400))
    assert session.scalar(text("select count(*) from person_touch")) == 0
    assert changed(full(FILE)) == [2]
    assert settled(session, bring(FILE)) == 3
    remembering.tidy_memory(session, now + timedelta(days=1))
    assert session.scalar(text("select count(*) from remembered_line")) == 0
    assert settled(session, bring(FILE)) == 0


def test_a_school_mailbox_stays_one_when_the_lines_that_tell_are_known(
    session: Session, north: School, bring: Bring, full: Any
) -> None:
    head = "Student_Number\tFirst_Name\tLast_Name\tSchoolID\tstudent_email\tEmail"
    known = "".join(f"\n{n}\tAda\tByron{n}\t201\tp{n}@pupils.example\t" for n in range(10, 14))
    bring(head + known + "\n", name="roster.txt")
    more = head + known + "\n15\tBea\tHill\t201\t\tbea@pupils.example\n"
    full(more, name="roster.txt")
    bring(more, name="roster.txt")
    who = person(session, "15").id
    points = session.scalars(select(ContactPoint).where(ContactPoint.alumnus_id == who))
    assert [point.owner for point in points] == ["school"]


def test_an_edit_that_an_import_could_not_see_makes_the_line_unknown(
    own_app: Flask, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Student ID,First Name,Last Name\n1,Ada,Mensah\n2,Bea,Hill\n3,Cal,Imani\n")
    assert bring_into(own_app, path)["create"] == 3
    edited, imported = threading.Event(), threading.Event()

    def edit() -> None:
        with own_app.app_context():
            session = db.session()
            ada = person(session, "1")
            edit_profile(
                session, ada, {"family_name": "King"}, by=SYSTEM, at=ada.updated_at, source="staff"
            )
            edited.set()
            imported.wait(60)
            session.commit()
            db.session.remove()

    thread = threading.Thread(target=edit)
    thread.start()
    assert edited.wait(60)
    assert bring_into(own_app, path)["unchanged"] == 3
    imported.set()
    thread.join(60)
    again = bring_into(own_app, path)
    assert again["update"] == 1
    assert again["unchanged"] == 2
    assert bring_into(own_app, path)["unchanged"] == 3
