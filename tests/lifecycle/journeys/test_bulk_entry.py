"""Letting many people into a journey by hand: looked at, done, stopped and taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.bulk import background, engine
from crm.bulk.models import BulkRun, BulkState
from crm.core.viewer import SYSTEM, Role
from crm.mail.content import Variant, save_content
from crm.mail.models import Message, MessageState
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, EnrollmentState, Journey
from tests.crm.bulk.asking import ask, press, run_of
from tests.factories import Make

SOURCE = """
journey: visit
name: After a visit
serves: Keep the tie
enter: {when: class:1950}
exit: way:mentor
steps:
  - {id: hello, send: letter, topic: news}
  - {id: rest, wait: 10d}
  - {id: done, exit: done}
"""
INTO = {"action": "journey", "key": "visit"}


@pytest.fixture
def journey(session: Session, make: Make) -> Journey:
    """A journey whose entry query means nobody here."""
    letter = {"en": Variant("Hello", "", "A line.")}
    save_content(
        session, key="letter", name="Letter", topic_key="news", variants=letter, by=SYSTEM,
        at=make.at,
    )  # fmt: skip
    return service.publish(session, SOURCE, name="x.yaml", by=SYSTEM, at=make.at).journey


def ways(session: Session) -> dict[int, Enrollment]:
    rows = session.scalars(select(Enrollment).execution_options(populate_existing=True))
    return {row.alumnus_id: row for row in rows}


def test_those_chosen_enter_past_the_entry_query_and_those_who_may_not_stay_out(
    coordinator: FlaskClient, make: Make, session: Session, journey: Journey
) -> None:
    ana, bob = make.alumnus("Ana"), make.alumnus("Bob")
    make.alumnus("Dead", deceased=True)
    make.alumnus("Helper", ways=("mentor",))
    run_id = ask(coordinator, INTO)
    expected = {"change": 2, "kept": 2, "kept:deceased": 1, "kept:exit": 1}
    assert run_of(session, run_id).totals == expected
    assert ways(session) == {}
    assert "the exit rule means them" in coordinator.get(f"/bulk/{run_id}").text
    press(coordinator, run_id, "apply")
    found = ways(session)
    assert set(found) == {ana.id, bob.id}
    assert {row.origin for row in found.values()} == {f"bulk:{run_id}"}
    advance(make.at)
    letters = session.scalars(
        select(Message.alumnus_id).where(Message.origin == "journey:visit/hello")
    )
    assert set(letters) == {ana.id, bob.id}
    page = coordinator.get(f"/people/{ana.id}").text
    assert "Let in by hand, by a bulk change." in page
    again = ask(coordinator, INTO)
    assert run_of(session, again).totals["same"] == 2


def test_taking_it_back_forgets_who_took_no_step_and_lets_the_others_out(
    coordinator: FlaskClient, make: Make, session: Session, journey: Journey
) -> None:
    ana = make.alumnus("Ana", email=None)
    run_id = ask(coordinator, INTO)
    press(coordinator, run_id, "apply")
    press(coordinator, run_id, "undo")
    assert ways(session) == {}
    bob = make.alumnus("Bob")
    session.commit()
    run_id = ask(coordinator, INTO, q="bob")
    press(coordinator, run_id, "apply")
    advance(make.at)
    message = session.scalars(select(Message).where(Message.alumnus_id == bob.id)).one()
    assert message.state is MessageState.QUEUED
    press(coordinator, run_id, "undo")
    session.refresh(message)
    assert (message.state, message.reason) == (MessageState.SKIPPED, "stopped")
    mine = ways(session)[bob.id]
    assert (mine.state, mine.end_reason) == (EnrollmentState.ENDED, "taken_back")
    assert ana.id not in ways(session)
    assert run_of(session, run_id).totals == {"back": 1}
    # Who was in it once is not let in a second time.
    assert run_of(session, ask(coordinator, INTO, q="bob")).totals == {"kept": 1, "kept:been": 1}


def test_who_went_all_the_way_or_entered_anew_stays_as_they_are(
    coordinator: FlaskClient, make: Make, session: Session, journey: Journey
) -> None:
    ana = make.alumnus("Ana")
    run_id = ask(coordinator, INTO)
    press(coordinator, run_id, "apply")
    for days in (0, 11):
        advance(make.at + timedelta(days=days))
    press(coordinator, run_id, "undo")
    assert run_of(session, run_id).totals == {"stays": 1, "stays:since": 1}
    assert ways(session)[ana.id].end_reason == "done"


def test_it_stops_between_two_batches_and_goes_on(
    coordinator: FlaskClient, make: Make, session: Session, journey: Journey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(engine, "BATCH", 2)
    for n in range(5):
        make.alumnus(f"Ana{n}")
    run_id = ask(coordinator, INTO)
    coordinator.post(f"/bulk/{run_id}/apply")
    assert background._batch(session, run_id, make.at)
    session.commit()
    assert len(ways(session)) == 2
    coordinator.post(f"/bulk/{run_id}/stop")
    background.work(run_id)
    assert len(ways(session)) == 2
    press(coordinator, run_id, "apply")
    assert (len(ways(session)), run_of(session, run_id).state) == (5, BulkState.APPLIED)


def test_a_journey_that_was_paused_meanwhile_takes_nobody_in(
    coordinator: FlaskClient, make: Make, session: Session, journey: Journey
) -> None:
    make.alumnus("Ana")
    run_id = ask(coordinator, INTO)
    service.pause(session, journey, by=SYSTEM, at=make.at)
    session.commit()
    press(coordinator, run_id, "apply")
    assert run_of(session, run_id).totals == {"kept": 1, "kept:resting": 1}
    assert ways(session) == {}
    assert coordinator.post("/bulk/new", data={"q": "", **INTO}).status_code == 422


def test_only_who_may_run_journeys_is_offered_it(
    make: Make, session: Session, journey: Journey, login_as: Callable[[User], FlaskClient]
) -> None:
    school = make.school()
    make.alumnus("Ana", school=school)
    browser = login_as(make.user(Role.LIAISON, school=school))
    assert "Let into a journey" not in browser.get("/bulk/new").text
    assert browser.post("/bulk/new", data={"q": "", **INTO}).status_code == 403
    assert session.scalars(select(BulkRun.id)).all() == []
    assert session.scalars(select(Alumnus.id)).all()
