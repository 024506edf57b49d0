"""Forgetting a person: nothing readable is left, figures stay, and no file brings mail back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint
from crm.consent.queries import address_suppressed
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge
from crm.rights.erasing import erase
from tests.crm.imports.conftest import Bring, bring, north
from tests.factories import Make

__all__ = ["bring", "north"]
SECRETS = ("Zanthippe", "Quillfeather", "zq@mail.example", "zq.old@mail.example", "5550177", "Q-77")
LIST = (
    "Student ID,First Name,Last Name,School,Class Year,Email,Phone,Employer\n"
    "Q-77,Zanthippe,Quillfeather,201,2010,zq@mail.example,404-555-0177,Quillfeather Ltd\n"
)


def everything(session: Session) -> Iterator[tuple[str, str]]:
    """Every row of every table as text."""
    for table in db.metadata.sorted_tables:
        for row in session.execute(text(f"select t::text from {table.name} t")).scalars():
            yield table.name, row


@pytest.fixture
def person(session: Session, bring: Bring, north: Any, make: Make, now: datetime) -> Alumnus:
    """Somebody whose name stands in many tables, with a second record merged into theirs."""
    bring(LIST)
    bring(LIST.replace("Quillfeather Ltd", "Zanthippe & Co"))
    found = session.scalars(select(Alumnus)).one()
    deed = make.interaction(found)
    deed.note = "Zanthippe spoke"
    other = make.alumnus("Zanthippe", "Quillfeather", email="zq.old@mail.example")
    session.flush()
    merge(session, found.id, other.id, at=now, by=SYSTEM)
    return found


def test_no_table_tells_who_it_was(session: Session, person: Alumnus, now: datetime) -> None:
    before = {name for name, row in everything(session) if any(word in row for word in SECRETS)}
    assert {"alumnus", "contact_point", "external_id", "import_line", "interaction"} <= before
    erase(session, person.id, at=now, by=SYSTEM)
    left = [(name, row) for name, row in everything(session) if any(w in row for w in SECRETS)]
    assert left == []


def test_deeds_stay_as_counts(session: Session, person: Alumnus, now: datetime) -> None:
    erase(session, person.id, at=now, by=SYSTEM)
    assert session.scalar(text("select count(*) from interaction")) == 1
    kept = session.get_one(Alumnus, person.id)
    assert (kept.do_not_contact, kept.merged_into_id, kept.link_epoch) == (True, kept.id, 1)


def test_a_later_file_brings_the_person_but_no_mail_back(
    session: Session, person: Alumnus, now: datetime, bring: Bring
) -> None:
    erase(session, person.id, at=now, by=SYSTEM)
    assert bring(LIST).totals["create"] == 1
    barred = select(ContactPoint.key).where(address_suppressed(ContactPoint.key))
    assert session.scalars(barred).all() == ["zq@mail.example"]


def test_the_command_forgets_and_then_knows_nobody(runner: Any, make: Make) -> None:
    make.alumnus("Ana", external_id="00042", email="ana@mail.example")
    done = runner.invoke(args=["people", "erase", "--id", "00042", "--yes", "--json"])
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["erased"], told["rows"]["suppressed"]) == (True, 1)
    again = runner.invoke(args=["people", "erase", "--id", "00042", "--yes", "--json"])
    assert again.exit_code == 1
    gone = runner.invoke(args=["people", "show", "--id", str(told["id"]), "--json"])
    assert gone.exit_code == 1
