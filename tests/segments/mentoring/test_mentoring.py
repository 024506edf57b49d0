"""Mentoring: a pair from a request or by hand, check-ins by mail, what is missed, how it ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM, Role
from crm.interactions.models import Interaction
from crm.links.tokens import issue
from crm.mail.delivery import deliver
from crm.mail.models import Message
from segments.asks.afterwards import confirm_attendance
from segments.asks.answers import accept
from segments.asks.models import Commitment
from segments.desk.match import match
from segments.mentoring.daily import advance_pairs
from segments.mentoring.models import MentorCheckin, MentorPair, PairState
from segments.mentoring.rules import MentoringRules, checkin_days, month_after
from segments.mentoring.service import Plan, begin, set_capacity
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import (
    ask,
    ask_of,
    clear,
    contents_to,
    letters_to,
    make_request,
    sign_in_at,
)

DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


def make_mentor(make: Make, name: str, school: Any, **values: Any) -> Alumnus:
    person = make.alumnus(name, school=school, ways=("mentor",), **values)
    clear(make, person)
    return person


def make_pair(make: Make, mentor: Alumnus, school: Any, *, weeks: int = 12) -> MentorPair:
    plan = Plan(mentor.id, school.id, "R. S.", make.at.date(), weeks)
    return begin(make.session, plan, by=SYSTEM, at=make.at)


def days_on(at: datetime, days: int) -> datetime:
    return at + timedelta(days=days)


@given(DAYS, st.integers(1, 104))
def test_check_ins_fall_twice_in_the_first_month_then_monthly_and_within_the_time(
    starts_on: date, weeks: int
) -> None:
    ends_on = starts_on + timedelta(weeks=weeks)
    days = checkin_days(starts_on, ends_on, MentoringRules())
    assert days == sorted(set(days))
    assert all(starts_on < day < ends_on for day in days)
    within = [day for day in days if day < month_after(starts_on, 1)]
    assert len(within) == sum((ends_on - starts_on).days > n for n in (10, 24))
    later = days[len(within) :]
    assert later == [month_after(starts_on, n) for n in range(2, 2 + len(later))]
    assert not later or month_after(starts_on, 2 + len(later)) >= ends_on


def test_the_first_meeting_of_a_mentoring_request_begins_a_pair(
    session: Session, make: Make
) -> None:
    school = make.school()
    mentor = make_mentor(make, "Ada", school)
    request = make_request(make, school, way_key="mentor", weeks=8, title="Robot arm")
    ask(make, request, mentor)
    accept(session, ask_of(session, mentor), date_id=dates_of(session, request.id)[0].id,
           at=make.at)  # fmt: skip
    promise = session.scalars(select(Commitment)).one()
    after = promise.ends_at + timedelta(hours=1)
    confirm_attendance(session, promise, attended=True, by=SYSTEM, at=after)
    pair = session.scalars(select(MentorPair)).one()
    assert (pair.mentee, pair.level, pair.request_id) == ("Robot arm", 2, request.id)
    assert (pair.ends_on - pair.starts_on).days == 56
    assert pair.starts_on == promise.starts_at.date()
    # Who goes along with as many as they take is asked for no more.
    another = make_request(make, school, way_key="mentor", days=(90,), subject_key=None)
    found = match(session, another, at=after + timedelta(days=61))
    assert (found.eligible, dict(found.ineligible)["mentor_full"]) == (0, 1)
    set_capacity(session, mentor.id, 2, by=SYSTEM, at=after)
    assert match(session, another, at=after + timedelta(days=61)).eligible == 1


def test_a_mentor_without_clearance_or_free_places_gets_no_pupil(
    session: Session, make: Make
) -> None:
    school = make.school()
    unproved = make.alumnus("Una", school=school, ways=("mentor",))
    with pytest.raises(Conflict, match="clearance"):
        make_pair(make, unproved, school)
    mentor = make_mentor(make, "Ada", school)
    make_pair(make, mentor, school)
    with pytest.raises(Conflict, match="no more pupils"):
        make_pair(make, mentor, school)


def test_check_ins_are_mailed_once_and_one_tap_answers(
    app: Flask, client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    mentor = make_mentor(make, "Ada", school, email="ada@mail.example")
    pair = make_pair(make, mentor, school)
    session.commit()
    assert advance_pairs(days_on(make.at, 9)).sent == 0
    day = days_on(make.at, 10)
    assert (advance_pairs(day).sent, advance_pairs(day).sent) == (1, 0)
    deliver(app, at=day)
    (letter,) = letters_to(session, "ada@mail.example")
    address = letter.split("http://localhost")[1].split()[0].split('"')[0]
    assert address.startswith("/mentor/")
    with clock.at(day):
        page = client.get(address)
        assert page.status_code == 200
        session.expire_all()
        one = session.scalars(select(MentorCheckin).order_by(MentorCheckin.number)).first()
        assert one is not None
        assert one.answered_at is None
        assert client.post(address, data={"answer": "nonsense"}).status_code in {303, 422}
        said = {"answer": "met", "hours": "2.5", "line": "We built an arm."}
        assert client.post(address, data=said).status_code == 303
        assert "We met" in client.get(address).text
    session.expire_all()
    assert (one.answer, one.hours, one.line) == ("met", Decimal("2.5"), "We built an arm.")
    assert pair.state is PairState.ACTIVE


def test_a_missed_check_in_is_somebody_s_to_call(
    client: FlaskClient, session: Session, make: Make
) -> None:
    cluster = make.cluster()
    school = make.school(cluster=cluster)
    liaison = make.user(Role.LIAISON, cluster=cluster)
    pair = make_pair(make, make_mentor(make, "Ada", school), school)
    session.commit()
    advance_pairs(days_on(make.at, 10))
    late = days_on(make.at, 17)
    assert (advance_pairs(late).missed, advance_pairs(late).missed) == (1, 0)
    with clock.at(late):
        sign_in_at(client, session, liaison, late)
        assert "mentor missed a check-in" in client.get("/").text
        assert "Ada" in client.get("/mentoring?view=missed").text
        page = client.get(f"/mentoring/{pair.id}").text
        address = page.split("check-ins/")[1].split('"')[0]
        assert client.post(f"/mentoring/{pair.id}/check-ins/{address}").status_code == 303
        assert "missed a check-in" not in client.get("/").text
        sign_in_at(client, session, make.user(Role.LIAISON, cluster=make.cluster()), late)
        assert client.get(f"/mentoring/{pair.id}").status_code == 404
        assert client.post(f"/mentoring/{pair.id}/end", data={"reason": "x"}).status_code == 404


def test_the_planned_end_thanks_and_records_the_hours_once(session: Session, make: Make) -> None:
    school = make.school()
    mentor = make_mentor(make, "Ada", school)
    pair = make_pair(make, mentor, school, weeks=6)
    session.commit()
    for number, hours in ((1, "1.5"), (2, "2")):
        one = session.scalars(select(MentorCheckin).where(MentorCheckin.number == number)).one()
        one.hours = Decimal(hours)
    session.commit()
    end = days_on(make.at, 42)
    assert (advance_pairs(end).closed, advance_pairs(end).closed) == (1, 0)
    session.expire_all()
    assert (pair.state, pair.hours) == (PairState.DONE, Decimal("3.5"))
    deed = session.scalars(select(Interaction).where(Interaction.alumnus_id == mentor.id)).one()
    assert (deed.kind, deed.hours, deed.school_id) == ("mentoring", Decimal("3.5"), school.id)
    thanks = session.scalars(select(Message).where(Message.key == f"pair:{pair.id}:thanks")).one()
    assert thanks.merge["hours"] == "3.5"


def test_a_pair_ends_early_with_its_reason_by_staff_or_by_the_mentor(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    mentors = [make_mentor(make, name, school) for name in ("Ada", "Ben")]
    first, second = (make_pair(make, mentor, school) for mentor in mentors)
    session.commit()
    refused = coordinator.post(f"/mentoring/{first.id}/end", data={"reason": " "})
    assert refused.status_code == 422
    coordinator.post(f"/mentoring/{first.id}/end", data={"reason": "She moves away."})
    session.expire_all()
    assert (first.state, first.reason) == (PairState.ENDED, "She moves away.")
    assert contents_to(session, mentors[0]) == []  # no hours, so no thanks for hours
    day = days_on(make.at, 10)
    advance_pairs(day)
    one = session.scalars(
        select(MentorCheckin).where(MentorCheckin.pair_id == second.id).order_by("number")
    ).first()
    assert one is not None
    token = issue(
        "mentor", alumnus_id=mentors[1].id, epoch=mentors[1].link_epoch, at=day, subject=one.id
    )
    with clock.at(day):
        said = {"answer": "stop", "line": "No time any more."}
        assert coordinator.post(f"/mentor/{token}", data=said).status_code == 303
        assert "over" in coordinator.get(f"/mentor/{token}").text
    session.expire_all()
    assert (second.state, second.reason) == (PairState.ENDED, "No time any more.")
    assert advance_pairs(days_on(make.at, 60)).sent == 0


def test_pages_of_a_person_begin_a_pair_and_say_how_many_they_take(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    mentor = make_mentor(make, "Ada", school)
    session.commit()
    assert "0 of 1 places" in coordinator.get(f"/people/{mentor.id}").text
    coordinator.post(f"/people/{mentor.id}/mentoring/capacity", data={"most": "2"})
    day = make.at.date().isoformat()
    form = {"school_id": str(school.id), "mentee": "K. L.", "starts_on": day, "weeks": "10"}
    assert coordinator.post(f"/people/{mentor.id}/mentoring", data=form).status_code == 303
    page = coordinator.get(f"/people/{mentor.id}").text
    assert "1 of 2 places" in page
    assert "K. L." in page
    assert "K. L." in coordinator.get("/mentoring").text
    clear_away = coordinator.get("/mentoring?view=lapsed").text
    assert "K. L." not in clear_away
