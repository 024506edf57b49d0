"""Where nobody was found: what was tried, what can be had, and the draft behind each button."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.core.viewer import Role
from crm.mail.models import Message
from segments.asks.answers import accept, decline
from segments.desk.instead import tried, ways_out
from segments.desk.planning import Circle
from segments.requests.models import Place, Request, RequestState
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import ask, ask_of, clear, make_request, make_speaker


def test_the_answer_says_what_was_tried_by_wave_and_circle(session: Session, make: Make) -> None:
    cluster = make.cluster()
    school, near = make.school(cluster=cluster), make.school(cluster=cluster)
    request = make_request(make, school)
    own = make_speaker(make, "Own", school)
    neighbour, far = make_speaker(make, "Near", near), make_speaker(make, "Far", make.school())
    ask(make, request, own, neighbour)
    decline(session, ask_of(session, own), at=make.at)
    ask(make, request, far)
    found = [(t.wave, t.circle, t.asked, t.yes, t.no, t.silent) for t in tried(session, request)]
    assert found == [
        (1, Circle.SCHOOL, 1, 0, 1, 0), (1, Circle.CLUSTER, 1, 0, 0, 1),
        (2, Circle.DISTRICT, 1, 0, 0, 1),
    ]  # fmt: skip


def test_what_can_be_had_is_counted_and_becomes_a_draft(
    login_as: Any, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    request = make_request(make, school, by=viewer_for(session, teacher), title="A talk")
    release = make.alumnus("Rosa", school=school, ways=("speak",))
    clear(make, release, level=1)  # enough for a video, not for a visit
    soon = make.alumnus("Sam", school=school, ways=("speak",))
    clear(make, soon, granted_on=make.at.date() - timedelta(days=20))
    busy = make_request(make, make.school())
    ask(make, busy, soon)
    accept(session, ask_of(session, soon), date_id=dates_of(session, busy.id)[0].id, at=make.at)
    judge = make.alumnus("Jo", school=school, ways=("judge",))
    clear(make, judge)
    session.commit()
    found = {way.key: way.people for way in ways_out(session, request, make.at)}
    assert found == {"virtual": 1, "way:judge": 1}
    browser = login_as(teacher)
    page = browser.get(f"/requests/{request.id}/instead").text
    assert "By video instead: 1 person could be asked." in page
    answer = browser.post(f"/requests/{request.id}/instead", data={"instead": "virtual"})
    assert answer.status_code == 303
    made = session.scalars(select(Request).order_by(Request.id.desc())).first()
    assert made is not None
    assert (made.state, made.place, made.title) == (RequestState.DRAFT, Place.VIRTUAL, "A talk")
    refused = browser.post(f"/requests/{request.id}/instead", data={"instead": "bribe"})
    assert refused.status_code in {303, 422}
    assert session.scalars(select(Request).order_by(Request.id.desc())).first() is made


def test_those_who_said_yes_can_be_enough(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school, places=3)
    ada, ben = make_speaker(make, "Ada", school), make_speaker(make, "Ben", school)
    ask(make, request, ada, ben)
    accept(session, ask_of(session, ada), date_id=dates_of(session, request.id)[0].id,
           at=make.at)  # fmt: skip
    session.commit()
    refused = coordinator.post(f"/requests/{request.id}/unfilled")
    assert refused.status_code == 409
    coordinator.post(f"/requests/{request.id}/instead", data={"instead": "places"})
    session.expire_all()
    assert (request.state, request.places) == (RequestState.FILLED, 1)
    assert ask_of(session, ben).state == "released"


def test_the_office_says_honestly_that_nobody_was_found(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    request = make_request(make, school, by=viewer_for(session, teacher))
    session.commit()
    assert coordinator.post(f"/requests/{request.id}/unfilled").status_code == 303
    session.expire_all()
    assert (request.state, request.reason) == (RequestState.UNFILLED, "nobody_left")
    told = session.scalars(select(Message).where(Message.to_address == teacher.email)).all()
    assert any(message.key.endswith(":unfilled") for message in told)


def test_other_dates_of_a_request_long_over_are_different_days(
    session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    clear(make, make.alumnus("Rosa", school=school, ways=("speak",)))
    session.commit()
    for months in (2, 3):
        at = make.at + timedelta(days=30 * months)
        dates = [way.detail for way in ways_out(session, request, at) if "date" in way.key]
        assert len(set(dates)) == 2
        assert min(dates) > at
