"""Bulk changes: looked at first, applied in batches, stopped, gone on with, taken back exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.bulk import background, engine
from crm.bulk.models import BulkLine, BulkRun, BulkState, Fate
from crm.consent.models import ConsentSource
from crm.consent.queries import choices_of
from crm.consent.service import withdraw
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.imports.models import CustomField
from crm.rights.erasing import erase
from segments.saved.models import Segment, SegmentKind, SegmentMember
from tests.factories import Make

Login = Callable[[User], FlaskClient]
WAY = {"action": "way", "key": "mentor", "doing": "set"}


def ask(browser: FlaskClient, data: dict[str, Any], **whom: Any) -> int:
    """Ask for a change, have the people looked at, and answer its number."""
    answer = browser.post("/bulk/new", data={"q": "", **data, **whom})
    assert answer.status_code == 303, answer.text
    run_id = int(answer.headers["Location"].rpartition("/")[2])
    background.work(run_id)
    return run_id


def press(browser: FlaskClient, run_id: int, verb: str) -> None:
    """Press a button of the change's page, and do the work."""
    answer = browser.post(f"/bulk/{run_id}/{verb}")
    assert answer.status_code == 303, answer.text
    background.work(run_id)


def run_of(session: Session, run_id: int) -> BulkRun:
    return session.get_one(BulkRun, run_id, populate_existing=True)


def ways_of(session: Session, person: Alumnus) -> dict[str, str]:
    rows = session.execute(
        select(Interest.key, Interest.source).where(
            Interest.alumnus_id == person.id, Interest.kind == InterestKind.WAY
        )
    )
    return dict(rows.all())


def fates(session: Session, run_id: int) -> dict[int, Fate]:
    rows = session.execute(
        select(BulkLine.alumnus_id, BulkLine.fate).where(BulkLine.run_id == run_id)
    )
    return dict(rows.all())


def test_a_change_is_looked_at_first_and_then_done_to_those_people_and_nobody_else(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob = make.alumnus("Ana", class_year=2015), make.alumnus("Bob", class_year=2015)
    has = make.alumnus("Has", class_year=2015, ways=("mentor",))
    dead = make.alumnus("Dead", class_year=2015, deceased=True)
    other = make.alumnus("Other", class_year=2016)
    run_id = ask(coordinator, WAY, q="class:2015")
    run = run_of(session, run_id)
    assert run.state is BulkState.READY
    assert run.totals == {"change": 2, "same": 1, "kept": 1, "kept:deceased": 1}
    assert ways_of(session, ana) == {}
    page = coordinator.get(f"/bulk/{run_id}").text
    for told in ("Set “", "Ana", "left alone: deceased – 1", "nothing is changed yet"):
        assert told in page
    late = make.alumnus("Late", class_year=2015)
    press(coordinator, run_id, "apply")
    assert run_of(session, run_id).totals == {"done": 2, "same": 1, "kept": 1, "kept:deceased": 1}
    for person in (ana, bob):
        assert ways_of(session, person) == {"mentor": f"bulk:{run_id}"}
    for person in (late, other, dead):
        assert ways_of(session, person) == {}
    assert ways_of(session, has) == {"mentor": ""}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "bulk.applied")).one()
    assert (entry.detail["query"], entry.detail["totals"]["done"]) == ("class:2015", 2)


def test_only_those_chosen_by_hand_are_changed(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob, cyd = (make.alumnus(name) for name in ("Ana", "Bob", "Cyd"))
    # An id of another system that reads like our number names nobody here.
    make.alumnus("Trap", external_id=str(ana.id))
    page = coordinator.get("/bulk/new", query_string={"q": "", "id": [ana.id, bob.id]}).text
    assert "2 people, chosen by hand" in page
    run_id = ask(coordinator, WAY, id=[str(ana.id), str(bob.id), "999999999", "x"])
    assert set(fates(session, run_id)) == {ana.id, bob.id}
    nobody = ask(coordinator, WAY, chosen="1")
    assert fates(session, nobody) == {}
    assert cyd.id not in fates(session, run_id)


def test_what_changed_since_stays_when_a_change_is_taken_back_and_is_listed(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.save(CustomField(key="club", label="Club", created_at=make.at))
    ana = make.alumnus("Ana", custom={"club": "chess", "x": "1"})
    bob, cyd = make.alumnus("Bob", custom={"x": "2"}), make.alumnus("Cyd")
    data = {"action": "custom", "key": "club", "doing": "set", "value": "choir"}
    run_id = ask(coordinator, data)
    press(coordinator, run_id, "apply")
    for person in (ana, bob, cyd):
        session.refresh(person)
        assert person.custom["club"] == "choir"
        assert person.updated_at == make.at
    cyd.custom = {"club": "band"}
    session.commit()
    press(coordinator, run_id, "undo")
    for person in (ana, bob, cyd):
        session.refresh(person)
    assert ana.custom == {"club": "chess", "x": "1"}
    assert bob.custom == {"x": "2"}
    assert cyd.custom == {"club": "band"}
    assert ana.updated_at == ana.created_at
    run = run_of(session, run_id)
    assert (run.state, run.totals) == (
        BulkState.UNDONE, {"back": 2, "stays": 1, "stays:since": 1},
    )  # fmt: skip
    page = coordinator.get(f"/bulk/{run_id}?fate=stays").text
    assert "Cyd" in page
    assert "changed by somebody since" in page
    assert "Ana" not in page


@pytest.mark.parametrize(
    "data",
    [
        {"action": "do_not_contact"},
        {"action": "withdraw", "topic": "events", "wording": "they wrote"},
        {"action": "withdraw", "topic": "*", "wording": ""},
    ],
)
def test_what_protects_people_is_done_in_bulk_and_never_taken_back_in_bulk(
    coordinator: FlaskClient, make: Make, session: Session, data: dict[str, str]
) -> None:
    ana, bob = make.alumnus("Ana"), make.alumnus("Bob", do_not_contact=True)
    withdraw(session, bob.id, topic_key=None, source=ConsentSource.LINK, at=make.at)
    run_id = ask(coordinator, data)
    assert run_of(session, run_id).totals == {"change": 1, "same": 1}
    press(coordinator, run_id, "apply")
    page = coordinator.get(f"/bulk/{run_id}").text
    assert "This stays" in page
    assert "Take it back" not in page
    refused = coordinator.post(f"/bulk/{run_id}/undo")
    assert refused.status_code == 409
    session.refresh(ana)
    if data["action"] == "do_not_contact":
        assert ana.do_not_contact
    else:
        assert choices_of(session, ana.id)["events"] is False
        reference = session.scalars(
            text("select reference from consent_entry where alumnus_id = :id").bindparams(id=ana.id)
        )
        assert set(reference) == {f"bulk:{run_id}"}
    assert "grant" not in " ".join(session.scalars(select(AuditEntry.action)))


def test_a_liaison_touches_only_their_own_people(
    make: Make, login_as: Login, session: Session
) -> None:
    school, elsewhere = make.school(), make.school()
    own, other = make.alumnus("Own", school=school), make.alumnus("Other", school=elsewhere)
    both = make.alumnus("Leaves", school=school)
    liaison = make.user(Role.LIAISON, school=school)
    browser = login_as(liaison)
    run_id = ask(browser, WAY, id=[str(p.id) for p in (own, other, both)])
    assert set(fates(session, run_id)) == {own.id, both.id}
    session.execute(
        text("update schooling set school_id = :there where alumnus_id = :id").bindparams(
            there=elsewhere.id, id=both.id
        )
    )
    session.commit()
    press(browser, run_id, "apply")
    assert fates(session, run_id) == {own.id: Fate.DONE, both.id: Fate.KEPT}
    assert ways_of(session, both) == {}
    colleague = login_as(make.user(Role.LIAISON, school=school))
    for answer in (
        colleague.get(f"/bulk/{run_id}"), colleague.post(f"/bulk/{run_id}/undo"),
    ):  # fmt: skip
        assert answer.status_code == 404
    assert login_as(make.user(Role.VIEWER)).get(f"/bulk/{run_id}").status_code == 403
    assert login_as(make.user()).get(f"/bulk/{run_id}").status_code == 200


def test_an_account_that_may_no_longer_edit_changes_nobody(
    make: Make, login_as: Login, session: Session
) -> None:
    make.user()
    user = make.user()
    person = make.alumnus()
    browser = login_as(user)
    run_id = ask(browser, WAY)
    browser.post(f"/bulk/{run_id}/apply")
    user.active = False
    session.commit()
    background.work(run_id)
    run = run_of(session, run_id)
    assert (run.state, ways_of(session, person)) == (BulkState.STOPPED, {})
    assert "no longer edit" in (run.error or "")


def test_a_change_that_stopped_goes_on_where_it_was_and_does_nothing_twice(
    coordinator: FlaskClient, make: Make, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BATCH", 2)
    people = [make.alumnus(f"P{n}") for n in range(5)]
    data = {"action": "interaction", "kind": "event_attended", "day": "2026-09-01", "school_id": 0}
    run_id = ask(coordinator, data)
    coordinator.post(f"/bulk/{run_id}/apply")
    # One batch, and then the worker is killed.
    assert background._batch(session, run_id, make.at)
    session.commit()
    assert coordinator.post(f"/bulk/{run_id}/stop").status_code == 303
    background.work(run_id)
    count = text("select count(*) from interaction where kind = 'event_attended'")
    assert (run_of(session, run_id).state, session.scalar(count)) == (BulkState.STOPPED, 2)
    press(coordinator, run_id, "apply")
    background.work(run_id)
    assert session.scalar(count) == len(people)
    assert run_of(session, run_id).totals == {"done": 5}
    press(coordinator, run_id, "undo")
    assert session.scalar(count) == 0


def test_a_worker_that_died_is_replaced(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.alumnus()
    run_id = ask(coordinator, WAY)
    coordinator.post(f"/bulk/{run_id}/apply")
    assert "Start it again" not in coordinator.get(f"/bulk/{run_id}").text
    with clock.at(make.at + timedelta(minutes=2)):
        assert "Start it again" in coordinator.get(f"/bulk/{run_id}/progress").text
        press(coordinator, run_id, "again")
    assert run_of(session, run_id).state is BulkState.APPLIED


def test_people_are_put_into_a_frozen_segment_and_taken_out_again(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob = make.alumnus("Ana"), make.alumnus("Bob")
    segment = make.save(
        Segment(
            key="kept", name="Kept", query="", kind=SegmentKind.FROZEN, created_at=make.at,
            updated_at=make.at,
        )
    )  # fmt: skip
    make.save(SegmentMember(segment_id=segment.id, alumnus_id=bob.id))
    run_id = ask(coordinator, {"action": "segment_add", "key": "kept"})
    press(coordinator, run_id, "apply")
    members = select(SegmentMember.alumnus_id).where(SegmentMember.segment_id == segment.id)
    assert set(session.scalars(members)) == {ana.id, bob.id}
    press(coordinator, run_id, "undo")
    assert set(session.scalars(members)) == {bob.id}
    run_id = ask(coordinator, {"action": "segment_remove", "key": "kept"})
    segment.kind = SegmentKind.DYNAMIC
    session.commit()
    press(coordinator, run_id, "apply")
    run = run_of(session, run_id)
    assert run.state is BulkState.STOPPED
    assert "follows its query" in (run.error or "")
    assert set(session.scalars(members)) == {bob.id}


def test_what_cannot_be_chosen_is_refused_beside_its_field(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.alumnus()
    faults: list[dict[str, Any]] = [
        {"action": "way", "key": "nonsense", "doing": "set"},
        {"action": "language", "language": "tlh"},
        {"action": "custom", "key": "no-such", "doing": "set", "value": "x"},
        {"action": "interaction", "kind": "event_attended", "day": "2030-01-01", "school_id": 0},
        {"action": "segment_add", "key": "no-such"},
        {"action": "withdraw", "topic": "nope"},
        {**WAY, "q": "way:mentr"},
    ]
    for data in faults:
        assert coordinator.post("/bulk/new", data={"q": "", **data}).status_code == 422, data
    assert coordinator.post("/bulk/new", data={"action": "erase"}).status_code == 404
    assert session.scalars(select(BulkRun.id)).all() == []


def test_a_change_given_up_keeps_nobody_and_can_no_longer_be_applied(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.alumnus()
    run_id = ask(coordinator, WAY)
    press(coordinator, run_id, "stop")
    assert coordinator.post(f"/bulk/{run_id}/apply").status_code == 409
    assert fates(session, run_id) == {}


def test_what_people_were_before_is_forgotten_in_time_and_with_them(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    ana, bob = make.alumnus("Ana"), make.alumnus("Bob")
    run_id = ask(coordinator, WAY)
    press(coordinator, run_id, "apply")
    erase(session, ana.id, at=make.at, by=SYSTEM)
    session.commit()
    assert set(fates(session, run_id)) == {bob.id}
    background.tidy(make.at + timedelta(days=89))
    assert fates(session, run_id)
    background.tidy(make.at + timedelta(days=91))
    assert fates(session, run_id) == {}
    waits = ask(coordinator, WAY, q="bob")
    background.tidy(make.at + timedelta(days=8))
    assert run_of(session, waits).state is BulkState.CANCELLED
