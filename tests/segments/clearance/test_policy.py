"""Clearance as a district's own: its settings, lead times, the clock of a yes, and law 6."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.district import choose
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM, Role
from crm.mail.delivery import deliver
from lifecycle.engine.service import advance as tick
from lifecycle.journeys.service import publish
from lifecycle.journeys.starters import starter_text
from segments.asks import openly
from segments.asks.answers import Outcome, accept, decline
from segments.asks.models import Ask, Commitment, CommitmentState
from segments.clearance.models import Clearance, ClearanceCase
from segments.clearance.policy import ClearancePolicy, LevelRule
from segments.clearance.rules import Grant, cleared
from segments.clearance.service import record_clearance
from segments.desk.advance import advance
from segments.requests.models import Place, RequestState, Supervision
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import (
    ask,
    ask_of,
    clear,
    contents_to,
    make_request,
    make_speaker,
    sign_in_at,
)


def lead(session: Session, make: Make, days: int, *, level: int = 2) -> None:
    """The district counts on a clearance of this level within so many days."""
    rules = [LevelRule(), LevelRule(), LevelRule()]
    rules[level - 1] = LevelRule(lead_days=days)
    choose(session, ClearancePolicy(levels=tuple(rules)), at=make.at)


def test_who_can_be_cleared_in_time_is_asked_and_held_until_they_are(
    app: Flask, client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    lead(session, make, 14)
    near = make_request(make, school, days=(14,))
    far = make_request(make, school, days=(15,))
    ada = make.alumnus("Ada", school=school, ways=("speak",), email="ada@mail.example")
    assert ask(make, near, ada).left_out == {ada.id: "not_cleared"}
    assert len(ask(make, far, ada).asked) == 1
    choice = dates_of(session, far.id)[0]
    assert accept(session, ask_of(session, ada), date_id=choice.id, at=make.at) is Outcome.CLEARING
    promise = session.scalars(select(Commitment)).one()
    assert promise.state is CommitmentState.CLEARING
    assert promise.clear_by == choice.starts_at.date() - timedelta(days=1)
    assert far.state is RequestState.FILLED
    case = session.scalars(select(ClearanceCase)).one()
    assert (case.alumnus_id, case.level, case.due_on) == (ada.id, 2, promise.clear_by)
    session.commit()
    sign_in_at(client, session, teacher, make.at)
    assert "ada@mail.example" not in client.get(f"/requests/{far.id}").text
    assert (advance(make.at).cleared, promise.state) == (0, CommitmentState.CLEARING)
    later = make.at + timedelta(days=6)
    record_clearance(session, ada.id, level=2, granted_on=later.date(), by=SYSTEM, at=later)
    session.commit()
    assert advance(later).cleared == 1
    session.expire_all()
    assert (promise.state, case.ended_how) == (CommitmentState.PLANNED, "cleared")
    assert any(":confirmed:" in key for key in contents_to(session, ada))
    sign_in_at(client, session, teacher, later)
    assert "ada@mail.example" in client.get(f"/requests/{far.id}").text
    assert deliver(app, at=later).accepted >= 1


def test_a_place_whose_clearance_does_not_come_is_given_back(session: Session, make: Make) -> None:
    school = make.school()
    lead(session, make, 14)
    request = make_request(make, school, days=(20,))
    ada = make.alumnus("Ada", school=school, ways=("speak",), email="ada@mail.example")
    ask(make, request, ada)
    choice = dates_of(session, request.id)[0]
    accept(session, ask_of(session, ada), date_id=choice.id, at=make.at)
    session.commit()
    assert advance(choice.starts_at - timedelta(days=1)).given_back == 0
    assert advance(choice.starts_at - timedelta(hours=8)).given_back == 1
    session.expire_all()
    promise = session.scalars(select(Commitment)).one()
    assert promise.state is CommitmentState.CANCELLED
    assert request.state is RequestState.ASKING
    assert any("clear-late" in key for key in contents_to(session, ada))


def test_somebody_who_is_being_cleared_can_take_the_yes_back(session: Session, make: Make) -> None:
    school = make.school()
    lead(session, make, 14)
    request = make_request(make, school)
    ada = make.alumnus("Ada", school=school, ways=("speak",), email="ada@mail.example")
    ask(make, request, ada)
    accept(session, ask_of(session, ada), date_id=dates_of(session, request.id)[0].id,
           at=make.at)  # fmt: skip
    decline(session, ask_of(session, ada), at=make.at)
    assert session.scalars(select(Commitment)).one().state is CommitmentState.CANCELLED


def test_who_lost_a_clearance_is_not_asked_on_trust(session: Session, make: Make) -> None:
    school = make.school()
    lead(session, make, 14)
    request = make_request(make, school, days=(40,))
    ada = make_speaker(make, "Ada", school)
    held = session.scalars(select(Clearance)).one()
    held.revoked_on = make.at.date() - timedelta(days=3)
    assert ask(make, request, ada).left_out == {ada.id: "not_cleared"}


def test_an_open_yes_to_mentoring_starts_the_clock_once(session: Session, make: Make) -> None:
    ada = make.alumnus("Ada", ways=())
    for _ in range(2):
        one = make.save(
            Ask(
                alumnus_id=ada.id, way_key="mentor", state="open", asked_at=make.at, reasons=[],
                expires_at=make.at + timedelta(days=9),
            )
        )  # fmt: skip
        openly.answer(session, one, word="yes", season="", at=make.at)
    case = session.scalars(select(ClearanceCase)).one()
    assert (case.level, case.way_key, case.ended_at) == (2, "mentor", None)


def test_a_level_with_a_training_ends_with_it_and_wants_its_day(
    session: Session, make: Make
) -> None:
    levels = (LevelRule(), LevelRule(training_months=6, renewed_by="school"), LevelRule())
    choose(session, ClearancePolicy(levels=levels), at=make.at)
    ada, school, today = make.alumnus("Ada"), make.school(), make.at.date()
    common: dict[str, Any] = {"level": 2, "granted_on": today, "by": SYSTEM, "at": make.at}
    with pytest.raises(Invalid, match="training"):
        record_clearance(session, ada.id, school_id=school.id, **common)
    with pytest.raises(Invalid, match="Each school"):
        record_clearance(session, ada.id, trained_on=today, **common)
    held = record_clearance(session, ada.id, school_id=school.id, trained_on=today, **common)
    assert held.expires_on == date(2027, 3, 15)


def test_the_settings_page_names_levels_and_changes_what_an_activity_takes(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    request = make_request(make, make.school())
    ada = make.alumnus("Ada", ways=("speak",))
    session.commit()
    assert ask(make, request, ada).left_out == {ada.id: "not_cleared"}
    session.commit()
    form = {
        f"levels-{n}-{name}": value
        for n, label in enumerate(("Form", "Check", "Prints", "Escort"))
        for name, value in (
            ("label", label), ("months", "12"), ("renewed_by", "office"), ("lead_days", "0"),
        )
    }  # fmt: skip
    needed = {
        "needed-no_pupils:school": "0", "needed-no_pupils:virtual": "0",
        "needed-supervised:school": "0", "needed-supervised:virtual": "1",
        "needed-unsupervised:school": "4", "needed-unsupervised:virtual": "4",
    }  # fmt: skip
    assert coordinator.post("/settings/clearance", data={**form, **needed}).status_code == 303
    assert "Escort" in coordinator.get(f"/people/{ada.id}").text
    assert len(ask(make, request, ada).asked) == 1
    clear(make, ada, level=4, granted_on=make.at.date())
    session.commit()
    three = {key: value for key, value in form.items() if not key.startswith("levels-3")}
    few = {**three, **needed, "needed-unsupervised:school": "3", "needed-unsupervised:virtual": "3"}
    refused = coordinator.post("/settings/clearance", data=few)
    assert refused.status_code == 422
    assert "Somebody holds level 4" in refused.text
    wrong = coordinator.post(
        "/settings/clearance", data={**form, **needed, "needed-no_pupils:school": "5"}
    )
    assert wrong.status_code == 422


def test_the_shipped_journey_reminds_before_a_clearance_runs_out(
    app: Flask, session: Session, make: Make
) -> None:
    today = make.at.date()
    soon, long, renewed = (
        make.alumnus(name, email=f"{name}@mail.example") for name in ("soon", "long", "renewed")
    )
    for person, days in ((soon, 30), (long, 300), (renewed, 30), (renewed, 400)):
        clear(make, person, granted_on=today, expires_on=today + timedelta(days=days))
    text = starter_text("clearance-renewal")
    publish(session, text, name="clearance-renewal.yaml", by=SYSTEM, at=make.at)
    session.commit()
    tick(make.at)
    session.expire_all()
    assert len(contents_to(session, soon)) == 1
    assert contents_to(session, long) == contents_to(session, renewed) == []


@st.composite
def worlds(draw: Any) -> Any:
    """A policy, grants of one person, the days of a request, and what is done when."""
    levels = tuple(LevelRule(lead_days=draw(st.sampled_from([0, 0, 3, 14, 40]))) for _ in range(3))
    grants = draw(
        st.lists(
            st.tuples(
                st.integers(1, 3), st.integers(-800, 0), st.integers(1, 1200),
                st.none() | st.integers(-100, 60), st.sampled_from([None, 0, 1]),
            ),
            max_size=3,
        )
    )  # fmt: skip
    days = draw(st.lists(st.integers(2, 60), min_size=1, max_size=3, unique=True))
    return levels, grants, days


@given(
    world=worlds(), supervision=st.sampled_from(list(Supervision)),
    place=st.sampled_from(list(Place)), pick=st.integers(0, 2),
)  # fmt: skip
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nobody_is_asked_or_confirmed_for_what_they_would_not_be_cleared_for(
    session: Session, make: Make, world: Any, supervision: Any, place: Any, pick: int
) -> None:
    rules, grants, days = world
    with session.begin_nested() as undo:
        policy = ClearancePolicy(levels=rules)
        choose(session, policy, at=make.at)
        schools, today = (make.school(), make.school()), make.at.date()
        request = make_request(
            make, schools[0], days=tuple(days), supervision=supervision, place=place
        )
        person = make.alumnus("Ada", ways=("speak",))
        held = [
            Grant(
                level, today + timedelta(days=from_), today + timedelta(days=from_ + length),
                None if revoked is None else today + timedelta(days=revoked),
                None if where is None else schools[where].id,
            )
            for level, from_, length, revoked, where in grants
        ]  # fmt: skip
        for grant in held:
            make.save(Clearance(alumnus_id=person.id, recorded_at=make.at, **vars(grant)))
        level = policy.needed_level(supervision, place)

        def may(on: date) -> bool:
            return cleared(held, level=level, on=on, school_id=schools[0].id)

        lead_days = policy.rule(level).lead_days if level else 0
        trusted = lead_days and not any(grant.revoked_on for grant in held)
        could = [
            day for day in days
            if may(today + timedelta(days=day)) or (trusted and day > lead_days)
        ]  # fmt: skip
        asked = ask(make, request, person).asked
        assert bool(asked) == bool(could)
        if asked:
            choice = dates_of(session, request.id)[pick % len(days)]
            on, moment = choice.starts_at.date(), make.at + timedelta(hours=1)
            outcome = accept(session, ask_of(session, person), date_id=choice.id, at=moment)
            promise = session.scalars(
                select(Commitment).where(Commitment.request_id == request.id)
            ).one_or_none()
            confirmed = promise is not None and promise.state is CommitmentState.PLANNED
            assert confirmed == may(on)
            assert (outcome is Outcome.NOT_CLEARED) == ((on - today).days not in could)
        undo.rollback()
