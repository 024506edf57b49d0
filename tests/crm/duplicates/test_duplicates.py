"""Records that may be one person: found, decided, merged, and taken back exactly."""

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

from crm.accounts.models import AuditEntry
from crm.consent.models import ConsentSource
from crm.consent.queries import choices_of
from crm.consent.service import withdraw
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM
from crm.duplicates import arriving, merging
from crm.duplicates.finding import find_duplicates
from crm.duplicates.models import DuplicatePair
from crm.schools.models import School
from tests.crm.imports.conftest import Bring, Command, bring, everybody, north, person, run
from tests.crm.imports.test_layouts import table
from tests.crm.imports.test_undo import picture

__all__ = ["bring", "north", "run"]
HEAD = "Student ID|First Name|Last Name|School|Class Year|DOB|Email|Phone|City|Deceased|Opt Out"
ADA = "1|Ada|Byron|201|2010|1992-03-04|ada@mail.example|404-555-0101|Milltown||"
TWIN = "|Adah|Byron|201|2011|1992-03-04|ada@work.example|404-555-0101|||"
BRO = "3|Ben|Byron|201|2010|1992-03-04|ben@mail.example|404-555-0101|Milltown||"


@pytest.fixture
def twins(session: Session, bring: Bring, north: School) -> tuple[int, int]:
    """Ada twice: by her student number, and by the number of an old list."""
    bring(table(HEAD, ADA))
    bring(table(HEAD.replace("Student ID", "Record ID"), "9" + TWIN), "old.csv")
    first, second = everybody(session)
    return first.id, second.id


def pairs(session: Session) -> list[tuple[int, int]]:
    """The pairs that are open."""
    found = session.scalars(select(DuplicatePair).where(DuplicatePair.state == "open"))
    return [(pair.first_id, pair.second_id) for pair in found]


def test_one_person_in_two_records_is_found_with_reasons(
    session: Session, twins: tuple[int, int], now: datetime
) -> None:
    find_duplicates(session, at=now)
    (pair,) = session.scalars(select(DuplicatePair))
    assert (pair.first_id, pair.second_id) == twins
    assert pair.probability > 0.99
    assert {"birth_date", "like_name", "phone"} <= set(pair.reasons)


def test_brothers_with_one_telephone_and_birth_date_are_two(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(HEAD, ADA, BRO))
    assert find_duplicates(session, at=now) == 0


def test_a_pair_that_was_decided_is_not_proposed_again(
    session: Session, twins: tuple[int, int], now: datetime
) -> None:
    find_duplicates(session, at=now)
    merging.dismiss(session, *twins, at=now, by=SYSTEM)
    assert find_duplicates(session, at=now) == 0


def test_everything_of_the_other_record_follows(
    session: Session, twins: tuple[int, int], now: datetime, bring: Bring
) -> None:
    kept, gone = twins
    session.execute(
        text(
            "insert into interaction (alumnus_id, occurred_at, kind, mode, note, origin, machine, "
            "dedupe_key) values (:gone, now(), 'talk_given', 'volunteer', '', '', false, 'x')"
        ),
        {"gone": gone},
    )
    merging.merge(session, kept, gone, at=now, by=SYSTEM)
    keys = set(
        session.scalars(text("select key from contact_point where alumnus_id = :a"), {"a": kept})
    )
    assert keys == {"ada@mail.example", "ada@work.example", "+14045550101"}
    assert session.scalar(text("select alumnus_id from interaction")) == kept
    assert person(session, "9").id == kept
    again = bring(table(HEAD.replace("Student ID", "Record ID"), "9" + TWIN), "old.csv")
    assert again.totals["create"] == 0


def test_a_withdrawal_and_a_mark_of_either_hold_for_both(
    session: Session, twins: tuple[int, int], now: datetime
) -> None:
    kept, gone = twins
    withdraw(session, gone, topic_key="news", source=ConsentSource.LINK, at=now)
    session.execute(text("update alumnus set ferpa_block = true where id = :a"), {"a": gone})
    session.expire_all()
    done = merging.merge(session, kept, gone, at=now, by=SYSTEM)
    assert not choices_of(session, kept)["news"]
    assert person(session, "1").ferpa_block
    merging.unmerge(session, done.id, at=now, by=SYSTEM)
    assert choices_of(session, kept)["news"]
    assert not choices_of(session, gone)["news"]
    assert not person(session, "1").ferpa_block


def test_what_was_edited_after_the_merge_stays(
    session: Session, twins: tuple[int, int], now: datetime
) -> None:
    second, first = twins
    done = merging.merge(session, first, second, at=now, by=SYSTEM)
    assert person(session, "9").city == "Milltown"
    session.execute(text("update alumnus set city = 'Cedar' where id = :a"), {"a": first})
    session.expire_all()
    merging.unmerge(session, done.id, at=now, by=SYSTEM)
    assert person(session, "9").city == "Cedar"


def test_senseless_merges_are_refused(
    session: Session, twins: tuple[int, int], now: datetime
) -> None:
    first, second = twins
    with pytest.raises(Invalid):
        merging.merge(session, first, first, at=now, by=SYSTEM)
    done = merging.merge(session, first, second, at=now, by=SYSTEM)
    with pytest.raises(Conflict):
        merging.merge(session, second, first, at=now, by=SYSTEM)
    merging.unmerge(session, done.id, at=now, by=SYSTEM)
    with pytest.raises(Conflict):
        merging.unmerge(session, done.id, at=now, by=SYSTEM)


def test_the_commands_find_merge_and_take_back(
    run: Callable[..., Command], session: Session, twins: tuple[int, int]
) -> None:
    found = run("duplicates", "find").report
    assert [(p["a"], p["b"]) for p in found["pairs"]] == [twins]
    assert run("duplicates", "list").report["count"] == 1
    merged = run("duplicates", "merge", "sis:1", "record:9").report
    assert (merged["kept"], merged["gone"]) == twins
    assert run("duplicates", "list").report["pairs"] == []
    back = run("duplicates", "unmerge", merged["merge_id"])
    assert (back.code, back.report["restored"]) == (0, twins[1])
    assert run("duplicates", "merge", "1", "1").code == 1
    assert run("duplicates", "merge", "1", "nobody").code == 1


def test_the_pages_show_both_and_decide(
    coordinator: FlaskClient, session: Session, twins: tuple[int, int], now: datetime
) -> None:
    assert "No pair waits" in coordinator.get("/duplicates").text
    find_duplicates(session, at=now)
    page = coordinator.get("/duplicates").text
    assert "same birth date" in page
    address = f"/duplicates/{twins[0]}/{twins[1]}"
    assert address in page
    page = coordinator.get(address).text
    assert "ada@work.example" in page
    assert "differs</span>" in page
    assert coordinator.post(f"{address}/merge", data={"keep": "second"}).status_code == 303
    assert coordinator.post(f"{address}/different").status_code == 404
    assert coordinator.get(address).status_code == 404
    assert person(session, "1").id == twins[1]
    merge_id = session.scalar(text("select id from merge"))
    assert "Take the merge back" in coordinator.get(f"/duplicates?merged={merge_id}").text
    assert coordinator.post(f"/duplicates/merges/{merge_id}/undo").status_code == 303
    assert person(session, "1").id == twins[0]


def test_each_field_stays_as_the_reviewer_chose(
    coordinator: FlaskClient, session: Session, twins: tuple[int, int], now: datetime
) -> None:
    find_duplicates(session, at=now)
    before = picture(session)
    answer = coordinator.post(
        f"/duplicates/{twins[0]}/{twins[1]}/merge",
        data={"field-given_name": "second", "field-class_year": "first"},
    )
    merge_id = int(answer.location.partition("merged=")[2])
    kept = person(session, "1")
    assert (kept.given_name, kept.class_year, kept.sort_key) == ("Adah", 2010, "byron adah")
    coordinator.post(f"/duplicates/merges/{merge_id}/undo")
    assert picture(session) == before


def test_what_was_edited_since_is_named_when_a_merge_is_taken_back(
    coordinator: FlaskClient, session: Session, twins: tuple[int, int], now: datetime
) -> None:
    done = merging.merge(session, twins[1], twins[0], at=now, by=SYSTEM)
    session.execute(text("update alumnus set city = 'Cedar' where id = :a"), {"a": twins[1]})
    session.expire_all()
    page = coordinator.post(f"/duplicates/merges/{done.id}/undo", follow_redirects=True).text
    assert "Changed since, and therefore left as it is: City." in page


def test_two_people_are_noted_with_the_reason(
    coordinator: FlaskClient, session: Session, twins: tuple[int, int], now: datetime
) -> None:
    find_duplicates(session, at=now)
    coordinator.post(f"/duplicates/{twins[0]}/{twins[1]}/different", data={"why": "twins"})
    (pair,) = session.scalars(select(DuplicatePair))
    assert (pair.state, pair.note) == ("different", "twins")
    assert audited(session, "alumnus.different") == {"other": twins[1], "why": "twins"}


def audited(session: Session, action: str) -> dict[str, Any]:
    """The detail of the latest entry of the audit trail for an action."""
    statement = select(AuditEntry.detail).where(AuditEntry.action == action)
    return dict(session.scalars(statement.order_by(AuditEntry.id.desc()).limit(1)).one())


def test_a_pair_says_which_import_brought_it_and_the_import_how_many(
    coordinator: FlaskClient, session: Session, twins: tuple[int, int]
) -> None:
    last = session.scalar(text("select max(id) from import_run"))
    assert isinstance(last, int)
    arriving.look(last)
    (pair,) = session.scalars(select(DuplicatePair))
    assert pair.import_id == last
    assert "1 pair with somebody we hold" in coordinator.get(f"/imports/{last}").text
    assert "old.csv" in coordinator.get(f"/duplicates?import={last}").text
    arriving.look(last)
    assert session.scalar(text("select count(*) from duplicate_pass")) == 1


WORD = st.sampled_from(["", "Ada", "Bea"])
SIDE = st.tuples(
    WORD, st.sampled_from(["Byron", "Hill"]), st.sampled_from(["", "201"]),
    st.sampled_from(["", "2010"]), st.sampled_from(["", "1992-03-04"]),
    st.sampled_from(["a@mail.example", "b@mail.example", ""]),
    st.sampled_from(["", "404-555-0101"]), WORD, st.sampled_from(["", "yes"]),
    st.sampled_from(["", "yes"]),
).map("|".join)  # fmt: skip


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIDE, SIDE)
def test_any_merge_and_its_taking_back_leave_everything_as_it_was(
    session: Session, bring: Bring, north: School, now: datetime, first: str, second: str
) -> None:
    with session.begin_nested() as savepoint:
        bring(table(HEAD, f"1|{first}"))
        bring(table(HEAD, f"2|{second}"))
        people = everybody(session)
        before: dict[str, Any] = picture(session)
        if len(people) == 2:
            done = merging.merge(session, people[0].id, people[1].id, at=now, by=SYSTEM)
            later = now + timedelta(hours=1)
            merging.unmerge(session, done.id, at=later, by=SYSTEM)
            assert picture(session) == before
        savepoint.rollback()
    session.expire_all()
