"""Undoing an import: everything as it was, but for what changed since and what protects people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.alumni.service import edit_profile
from crm.consent.models import Suppression
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM
from crm.imports.models import ImportRun, ImportState
from crm.imports.undoing import undo_import
from crm.schools.models import School
from lifecycle.engine.service import advance
from tests.crm.imports.conftest import Bring, Command, everybody, person
from tests.crm.imports.test_layouts import table

HEAD = "Student ID|First Name|Last Name|School|Class Year|Email|City|Employer|Deceased|Opt Out"
ADA = "0007|Ada|Byron|201|2010|ada@mail.example|Milltown||no|"
BEA = "0008|Bea|Hill|201|2011|bea@mail.example|||no|"
KEPT = ("alumnus", "external_id", "schooling", "contact_point", "interest", "consent_entry")


def picture(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact of everybody, without when it was last touched."""
    session.flush()
    found = {}
    for name in KEPT:
        columns = session.execute(
            text(
                "select column_name from information_schema.columns where table_name = :name "
                "and column_name not in ('updated_at', 'id') order by 1"
            ),
            {"name": name},
        ).scalars()
        listed = ", ".join(columns)
        rows = session.execute(text(f"select {listed} from {name}"))
        found[name] = sorted((tuple(map(str, row)) for row in rows), key=str)
    return found


@pytest.fixture
def undo(session: Session, now: datetime) -> Callable[[ImportRun], dict[str, int]]:
    """Undoes an import an hour later."""
    return lambda run: undo_import(session, run, at=now + timedelta(hours=1), by=SYSTEM)


Undo = Callable[[ImportRun], dict[str, int]]


def test_people_that_a_file_made_are_gone(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    before = picture(session)
    run = bring(table(HEAD, ADA, BEA))
    assert undo(run) == {"removed": 2, "restored": 0, "kept": 0}
    assert (picture(session), run.state) == (before, ImportState.REVERTED)


def test_people_whom_we_knew_have_their_earlier_facts_again(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    bring(table(HEAD, ADA))
    before = picture(session)
    second = bring(
        table(
            HEAD + "|State ID|Ways to Help|Credential",
            "0007|Adaline|Byron|201|2012|ada@new.example|Riverbend|Harbor|no||S-1|mentor|GED",
        )
    )
    assert picture(session) != before
    assert undo(second) == {"removed": 0, "restored": 1, "kept": 0}
    assert picture(session) == before


def test_what_changed_since_stays_and_is_named_on_its_line(
    session: Session, bring: Bring, north: School, undo: Undo, now: datetime
) -> None:
    bring(table(HEAD, ADA))
    second = bring(table(HEAD, ADA.replace("Milltown||", "Riverbend|Harbor Hospital|")))
    ada = person(session, "0007")
    edit_profile(session, ada, {"city": "Cedar Valley"}, by=None, at=now, source="link")
    assert undo(second)["restored"] == 1
    ada = person(session, "0007")
    assert (ada.city, ada.employer) == ("Cedar Valley", None)
    (word,) = session.scalars(
        text("select undone from import_line where import_id = :id"), {"id": second.id}
    )
    assert word == "taken back, except city"


def test_a_new_person_who_was_edited_since_stays(
    session: Session, bring: Bring, north: School, undo: Undo, now: datetime
) -> None:
    run = bring(table(HEAD, ADA, BEA))
    edit_profile(
        session, person(session, "0007"), {"city": "Cedar"}, by=None, at=now, source="page"
    )
    assert undo(run) == {"removed": 1, "restored": 0, "kept": 1}
    assert [p.given_name for p in everybody(session)] == ["Ada"]


def test_what_protects_people_is_never_loosened(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    bring(table(HEAD, ADA))
    run = bring(table(HEAD, ADA.replace("|no|", "|yes|"), BEA.replace("|no|", "|no|yes")))
    undo(run)
    assert person(session, "0007").deceased
    assert session.scalars(select(Suppression.address_key)).all() == ["bea@mail.example"]


def test_somebody_whom_a_later_file_names_waits_for_that_one(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    before = picture(session)
    first = bring(table(HEAD, ADA, BEA))
    second = bring(table(HEAD, ADA))
    assert undo(second) == {"removed": 0, "restored": 0, "kept": 0}
    assert undo(first) == {"removed": 2, "restored": 0, "kept": 0}
    assert picture(session) == before


def test_undone_out_of_order_the_named_person_stays(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    first = bring(table(HEAD, ADA, BEA))
    bring(table(HEAD, ADA))
    assert undo(first) == {"removed": 1, "restored": 0, "kept": 1}
    assert [p.given_name for p in everybody(session)] == ["Ada"]


def test_places_on_the_continuum_go_with_the_people(
    session: Session, bring: Bring, north: School, undo: Undo, now: datetime
) -> None:
    run = bring(table(HEAD, ADA, BEA))
    advance(now)
    assert session.scalar(text("select count(*) from standing")) == 2
    undo(run)
    advance(now + timedelta(hours=2))
    assert session.scalar(text("select count(*) from standing")) == 0


def test_only_an_applied_import_is_undone_and_only_once(
    session: Session, bring: Bring, north: School, undo: Undo
) -> None:
    run = bring(table(HEAD, ADA), dry_run=True)
    with pytest.raises(Conflict):
        undo(run)
    run = bring(table(HEAD, ADA))
    undo(run)
    with pytest.raises(Conflict):
        undo(run)


def test_the_command_says_how_much_was_taken_back(
    run: Callable[..., Command], tmp_path: Any, session: Session, north: School
) -> None:
    people, deeds, asks = (tmp_path / n for n in ("people.csv", "deeds.csv", "asks.csv"))
    people.write_text(table(HEAD, ADA, BEA))
    deeds.write_text(
        table("person_id|occurred_at|kind|mode", "0007|2024-05-01|talk_given|volunteer")
    )
    asks.write_text(
        table("person_id|asked_at|way|answered_at|answer", "0007|2024-05-01|speak||none")
    )
    first = run("people", "import", people).report
    told = run("interactions", "import", deeds).report
    asked = run("asks", "import", asks).report
    kept = run("imports", "undo", first["import_id"])
    assert (kept.report["reverted"], kept.report["kept"]) == (1, 1)
    assert "something happened with this person since" in kept.stderr
    assert run("imports", "undo", told["import_id"]).report["reverted"] == 1
    assert run("imports", "undo", asked["import_id"]).report["reverted"] == 1
    assert session.scalar(text("select count(*) from interaction")) == 0
    assert session.scalar(text("select count(*) from ask")) == 0
    again = run("imports", "undo", first["import_id"])
    assert (again.code, "not undone before" in again.stderr) == (1, True)


def test_the_page_undoes_with_one_button(
    coordinator: FlaskClient, session: Session, bring: Bring, north: School
) -> None:
    run = bring(table(HEAD, ADA))
    address = f"/imports/{run.id}"
    assert "Undo this import" in coordinator.get(address).text
    assert coordinator.post(f"{address}/undo").status_code == 303
    assert "This import was undone" in coordinator.get(address).text
    assert coordinator.post(f"{address}/undo").status_code == 409
    assert everybody(session) == []


WORDS = st.sampled_from(["", "Ada", "Bea", "Cal", "Dee"])
LINE = st.tuples(
    st.sampled_from(["1", "2", "3", "4"]), WORDS, WORDS, st.sampled_from(["", "201"]),
    st.sampled_from(["", "2010", "2011"]),
    st.sampled_from(["", "a@mail.example", "b@mail.example"]),
    WORDS, WORDS, st.sampled_from(["", "yes"]), st.sampled_from(["", "yes"]),
).map("|".join)  # fmt: skip
PROTECTS = text(
    "select count(*) from suppression union all select count(*) from alumnus where deceased"
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(LINE, min_size=1, max_size=4), st.lists(LINE, min_size=1, max_size=4))
def test_any_file_and_its_undoing_leave_everything_as_it_was(
    session: Session, bring: Bring, north: School, undo: Undo, first: list[str], second: list[str]
) -> None:
    with session.begin_nested() as savepoint:
        bring(table(HEAD, *first))
        before, safe = picture(session), session.scalars(PROTECTS).all()
        run = bring(table(HEAD, *second))
        undo(run)
        after = picture(session)
        if "yes" in "".join(second):
            assert all(n >= m for n, m in zip(session.scalars(PROTECTS), safe, strict=True))
        else:
            assert after == before
        savepoint.rollback()
    session.expire_all()
