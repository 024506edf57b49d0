"""Lines of a file that were seen before: known again, and read all the same where it matters."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.imports.models import ImportLine
from crm.schools.models import School
from tests.crm.imports.conftest import Bring, fates, person
from tests.crm.imports.remembering import ADA, BEA, CAL, DAN, FILE, HEAD, changed, plain, settled
from tests.crm.imports.test_concurrency import own_app as own_app
from tests.crm.imports.test_layouts import table


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
