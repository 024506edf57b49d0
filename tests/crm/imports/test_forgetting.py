"""What makes a line that was known an unknown one."""

from __future__ import annotations

import threading
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
from crm.imports.models import ImportRun, RememberedFile
from crm.imports.people import remembering
from crm.imports.undoing import undo_import
from crm.rights.erasing import erase
from crm.schools.models import School
from crm.schools.service import SchoolFacts, save_schools
from tests.crm.imports.conftest import Bring, fates, person
from tests.crm.imports.remembering import ADA, BEA, CAL, DAN, FILE, HEAD, changed, plain, settled
from tests.crm.imports.test_concurrency import bring as bring_into
from tests.crm.imports.test_concurrency import own_app as own_app
from tests.crm.imports.test_layouts import table

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
