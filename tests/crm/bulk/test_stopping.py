"""A change to many people that stopped, was refused, given up or is long over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.bulk import background, engine
from crm.bulk.models import BulkRun, BulkState
from crm.core import clock
from crm.core.viewer import SYSTEM
from crm.rights.erasing import erase
from segments.saved.models import Segment, SegmentKind, SegmentMember
from tests.crm.bulk.asking import WAY, ask, fates, press, run_of
from tests.factories import Make


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
