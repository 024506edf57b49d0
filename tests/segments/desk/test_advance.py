"""What time alone does: holds run out, the next wave goes, reminders, the past closes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.viewer import Role
from crm.mail.delivery import deliver
from crm.mail.models import Message
from segments.asks.answers import Outcome, accept
from segments.asks.models import Ask, AskState
from segments.clearance.models import Clearance
from segments.desk.advance import advance
from segments.desk.waves import suggest
from segments.requests.models import RequestState
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import ask, ask_of, clear, make_request, make_speaker


def keys(session: Session, part: str) -> list[str]:
    return list(session.scalars(select(Message.key).where(Message.key.contains(part))))


def test_a_hold_that_runs_out_lets_the_next_wave_go(
    app: Flask, session: Session, make: Make
) -> None:
    school = make.school()
    first = make_speaker(make, "First", school, subjects=("health",))
    second = make_speaker(make, "Second")
    request = make_request(make, school)
    request.auto = True
    ask(make, request, first)
    session.commit()
    deliver(app, at=make.at)
    assert advance(make.at + timedelta(days=2)).waves == 0
    done = advance(make.at + timedelta(days=3))
    assert (done.expired, done.waves, done.asked) == (1, 1, 1)
    assert ask_of(session, first).state is AskState.NONE
    later = ask_of(session, second)
    assert (later.state, later.wave, later.rank) == (AskState.OPEN, 2, 1)
    assert later.reasons
    again = advance(make.at + timedelta(days=3))
    assert (again.expired, again.waves) == (0, 0)


def test_without_the_wish_nobody_is_asked_by_itself(session: Session, make: Make) -> None:
    request = make_request(make, make.school())
    make_speaker(make, "Ada")
    session.commit()
    assert advance(make.at).asked == 0
    assert request.state is RequestState.APPROVED


def test_when_nobody_is_left_the_request_says_so(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    request = make_request(make, make.school())
    request.auto = True
    session.commit()
    advance(make.at)
    session.expire_all()
    assert request.reason == "nobody_left"
    assert "Nobody is left to ask" in coordinator.get(f"/requests/{request.id}").text
    assert "request has nobody left to ask" in coordinator.get("/").text


def test_both_sides_are_reminded_once(app: Flask, session: Session, make: Make) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    ada = make_speaker(make, "Ada", school)
    request = make_request(make, school)
    request.created_by = teacher.id
    ask(make, request, ada)
    choice = dates_of(session, request.id)[0]
    assert accept(session, ask_of(session, ada), date_id=choice.id, at=make.at) is Outcome.ACCEPTED
    session.commit()
    assert advance(choice.starts_at - timedelta(days=3)).reminded == 0
    for _ in range(2):
        advance(choice.starts_at - timedelta(days=1))
    assert len(keys(session, ":reminder")) == 1
    for _ in range(2):
        advance(choice.ends_at + timedelta(hours=13))
    assert len(keys(session, ":attendance:")) == 1
    assert request.state is RequestState.FILLED


def test_a_request_whose_dates_passed_is_closed_honestly(session: Session, make: Make) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    request = make_request(make, school)
    request.created_by = teacher.id
    ask(make, request, make_speaker(make, "Ada"))
    session.commit()
    done = advance(make.at + timedelta(days=21))
    assert done.closed == 1
    session.expire_all()
    assert (request.state, request.reason) == (RequestState.UNFILLED, "dates_passed")
    letter = session.scalars(select(Message).where(Message.to_address == teacher.email)).one()
    assert letter.merge["asked"] == "1"
    assert advance(make.at + timedelta(days=22)).closed == 0


def test_a_lapsed_clearance_is_shouted_about(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    ada = make.alumnus("Ada", ways=("speak",))
    clear(make, ada)
    request = make_request(make, make.school())
    ask(make, request, ada)
    accept(session, ask_of(session, ada), date_id=dates_of(session, request.id)[0].id, at=make.at)
    session.scalars(select(Clearance)).one().revoked_on = make.at.date()
    session.commit()
    assert "promised visit lacks a clearance" in coordinator.get("/").text
    assert "must not work with pupils" in coordinator.get(f"/requests/{request.id}").text


def test_the_command_reports_what_it_did(runner: Any, session: Session, make: Make) -> None:
    request = make_request(make, make.school())
    ask(make, request, make_speaker(make, "Ada"))
    session.commit()
    at = (make.at + timedelta(days=4)).isoformat()
    answer = runner.invoke(args=["requests", "advance", "--as-of", at, "--json"])
    assert json.loads(answer.output.splitlines()[-1])["expired"] == 1


def test_a_person_s_page_shows_why_they_were_asked(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    ada = make_speaker(make, "Ada", school)
    request = make_request(make, school, title="Careers in health")
    session.commit()
    coordinator.post(f"/requests/{request.id}/asks", data={"person": ada.id})
    page = coordinator.get(f"/people/{ada.id}").text
    assert "Careers in health" in page
    assert "went to this school (2015)" in page
    assert "Background check" in page
    assert session.scalars(select(Ask)).one().propensity == 1.0


def test_what_the_district_chooses_sizes_the_waves(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school, days=(10,))
    for n in range(30):
        person = make_speaker(make, f"P{n}", school, subjects=("health",))
        for k in range(1, 4):
            make.interaction(person, days_ago=100 * k)
    session.commit()
    usual = suggest(session, request, at=make.at, counted=False)
    sent = {"target": "50", "fairness": "0", "near_first": "y", "explore": "10"}
    assert coordinator.post("/settings/asking", data=sent).status_code == 303
    session.expire_all()
    bold = suggest(session, request, at=make.at, counted=False)
    assert bold.plan.asks < usual.plan.asks
    assert {c.fairness for c in bold.match.candidates} == {1.0}
    wrong = coordinator.post("/settings/asking", data={**sent, "target": "100"})
    assert wrong.status_code == 422
