"""The board: lanes, the list, the plain answer, the file, schools side by side; due and late."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from segments.asks.afterwards import confirm_attendance
from segments.asks.answers import accept
from segments.asks.models import Commitment
from segments.desk.advance import advance
from segments.requests.draft import Draft
from segments.requests.life import RequestTimes, time_it
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.queries import dates_of
from segments.requests.service import create_request
from tests.factories import Make
from tests.segments.story import (
    ask,
    ask_of,
    letters_to,
    make_request,
    make_speaker,
    sign_in_at,
    slot,
)


def posted(make: Make, school: Any, teacher: Any, *, days: int = 40, **values: Any) -> Request:
    draft = Draft(school_id=school.id, way_key="speak", slots=(slot(make.at, days),), **values)
    return create_request(make.session, draft, by=viewer_for(make.session, teacher), at=make.at)


def test_each_state_is_due_by_its_days_or_sooner_by_the_first_date(
    session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    far, near = posted(make, school, teacher), posted(make, school, teacher, days=13)
    assert far.due_at == make.at + timedelta(days=2)
    first = dates_of(session, near.id)[0].starts_at
    assert near.due_at == first - timedelta(days=12)
    very_near = posted(make, school, teacher, days=4)
    first = dates_of(session, very_near.id)[0].starts_at
    assert very_near.due_at == make.at + (first - make.at) / 2


DAYS = st.integers(1, 60)


@given(DAYS, DAYS, st.integers(-30, 90), st.sampled_from(["draft", "submitted", "approved"]))
def test_what_is_due_is_never_before_the_state_began_nor_after_its_first_date(
    expected: int, before: int, ahead: int, state: str
) -> None:
    since = datetime.fromisoformat("2026-09-15T15:00:00+00:00")
    first = since + timedelta(days=ahead, hours=1)
    due = oracle(since, first, days=expected, before=before)
    assert since <= due <= max(since, first)


def oracle(since: datetime, first: datetime, *, days: int, before: int) -> datetime:
    """The rule of `life.due_times` in Python."""
    limit = first - timedelta(days=before)
    latest = limit if limit > since else since + max(timedelta(), first - since) / 2
    return min(since + timedelta(days=days), latest)


@pytest.mark.parametrize("ahead", [1.5, 6, 11, 13, 40, 300])
@pytest.mark.parametrize("state", ["draft", "submitted", "approved", "asking"])
def test_the_database_counts_due_times_by_the_same_rule(
    session: Session, make: Make, ahead: float, state: str
) -> None:
    request = make_request(make, make.school())
    choice = session.scalars(select(RequestDate)).one()
    choice.starts_at = make.at + timedelta(days=ahead)
    choice.ends_at = choice.starts_at + timedelta(hours=1)
    request.state, request.since = RequestState(state), make.at
    time_it(session, request)
    times = RequestTimes()
    days, before = getattr(times, state), getattr(times, f"{state}_before")
    assert request.due_at == oracle(make.at, choice.starts_at, days=days, before=before)
    assert request.warn_at is not None
    assert make.at <= request.warn_at <= (request.due_at or make.at)


def test_before_a_request_is_late_the_liaison_is_told_once_by_mail_and_at_home(
    client: FlaskClient, session: Session, make: Make
) -> None:
    cluster = make.cluster()
    school = make.school(cluster=cluster)
    teacher, liaison = (
        make.user(Role.SCHOOL, school=school),
        make.user(Role.LIAISON, cluster=cluster),
    )
    other = make.user(Role.LIAISON, cluster=make.cluster())
    request = posted(make, school, teacher, title="A talk on nursing")
    session.commit()
    assert advance(make.at).alarms == 0
    nearly = make.at + timedelta(days=1, hours=2)
    assert advance(nearly).alarms == 1
    assert advance(nearly + timedelta(hours=5)).alarms == 0
    told = session.scalars(select(Message).where(Message.key.contains(":due:"))).all()
    assert [message.to_address for message in told] == [liaison.email]
    assert "approves it" in told[0].merge["next_step"]
    with clock.at(nearly):
        sign_in_at(client, session, liaison, nearly)
        assert "request is nearly due" in client.get("/").text
        assert "A talk on nursing" in client.get("/requests?due=soon&view=list").text
        assert "Due within a day" in client.get("/requests").text
        sign_in_at(client, session, other, nearly)
        assert "nearly due" not in client.get("/").text
    late = make.at + timedelta(days=5)
    with clock.at(late):
        sign_in_at(client, session, liaison, late)
        assert "request is overdue" in client.get("/").text
        assert "3 days overdue" in client.get(f"/requests/{request.id}").text
        sign_in_at(client, session, teacher, late)
        assert "overdue" not in client.get("/").text.lower()


def test_a_draft_that_lies_about_is_its_writer_s_to_post(session: Session, make: Make) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    draft = Draft(school_id=school.id, way_key="speak", slots=(slot(make.at, 40),))
    viewer = viewer_for(session, teacher)
    create_request(session, draft, by=viewer, at=make.at, submit=False)
    session.commit()
    assert advance(make.at + timedelta(days=6, hours=1)).alarms == 1
    told = session.scalars(select(Message).where(Message.key.contains(":due:"))).one()
    assert told.to_address == teacher.email


def test_a_request_is_thanked_when_the_letter_has_left_or_somebody_says_so(
    app: Any, client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    ada, ben = make_speaker(make, "Ada", school, email="ada@mail.example"), None
    ben = make_speaker(make, "Ben", school, email="ben@mail.example")
    done = []
    for person in (ada, ben):
        request = make_request(make, school, by=viewer_for(session, teacher))
        ask(make, request, person)
        accept(session, ask_of(session, person), date_id=dates_of(session, request.id)[0].id,
               at=make.at)  # fmt: skip
        assert (request.state, request.filled_at) == (RequestState.FILLED, make.at)
        done.append(request)
    session.commit()
    deliver(app, at=make.at)
    after = dates_of(session, done[0].id)[0].ends_at + timedelta(days=1)
    for promise in session.scalars(select(Commitment)).all():
        confirm_attendance(session, promise, attended=True, by=SYSTEM, at=after)
    session.commit()
    assert advance(after).thanked == 0
    ben_s = done[1]
    session.execute(
        Message.__table__.delete().where(Message.key == f"ask:{ask_of(session, ben).id}:thanks")
    )
    session.commit()
    deliver(app, at=after)
    assert advance(after).thanked == 1
    session.expire_all()
    assert (done[0].state, done[0].due_at) == (RequestState.THANKED, None)
    assert (ben_s.state, ben_s.due_at) == (RequestState.DONE, after + timedelta(days=5))
    with clock.at(after):
        sign_in_at(client, session, teacher, after)
        assert "They are thanked" in client.get(f"/requests/{ben_s.id}").text
        assert client.post(f"/requests/{ben_s.id}/thanked").status_code == 303
        assert client.post(f"/requests/{ben_s.id}/thanked").status_code == 409
    session.expire_all()
    assert ben_s.state is RequestState.THANKED


def test_a_request_says_whose_thanks_could_not_go(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    ada = make_speaker(make, "Ada", school, email="ada@mail.example")
    ask(make, request, ada)
    accept(session, ask_of(session, ada), date_id=dates_of(session, request.id)[0].id, at=make.at)
    after = dates_of(session, request.id)[0].ends_at + timedelta(days=1)
    promise = session.scalars(select(Commitment)).one()
    confirm_attendance(session, promise, attended=True, by=SYSTEM, at=after)
    session.commit()
    address = f"/requests/{request.id}"
    assert "thanks are on their way" in coordinator.get(address).text
    letter = session.scalars(select(Message).where(Message.key.contains(":thanks"))).one()
    letter.state, letter.reason = MessageState.SKIPPED, "paused"
    session.commit()
    assert "thanks: not sent" in coordinator.get(address).text
    coordinator.post(f"{address}/thanked")
    assert "not sent" not in coordinator.get(address).text


def test_a_district_s_own_times_hold_for_what_is_under_way(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    request = make_request(make, make.school(), days=(60,))
    session.commit()
    assert request.due_at == make.at + timedelta(days=2)
    form = {**RequestTimes().model_dump(), "approved": 9}
    assert coordinator.post("/requests/times", data=form).status_code == 303
    session.expire_all()
    assert request.due_at == make.at + timedelta(days=9)
    refused = coordinator.post("/requests/times", data={**form, "approved": 0})
    assert refused.status_code == 422


def test_the_board_narrows_by_school_way_person_words_and_due(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    north = make.school("North High", cluster=make.cluster("North"))
    south = make.school("South High", cluster=make.cluster("South"))
    teacher = make.user(Role.SCHOOL, school=north, name="Kim Poster")
    make_request(make, north, title="Alpha", by=viewer_for(session, teacher))
    make_request(make, south, title="100% Beta", way_key="mentor")
    session.commit()
    both = coordinator.get("/requests").text
    assert "Alpha" in both
    assert "Beta" in both
    for query, seen in (
        (f"school={north.id}", {"Alpha"}), (f"cluster={south.cluster_id}", {"Beta"}),
        ("way=mentor", {"Beta"}), (f"who={teacher.id}", {"Alpha"}), ("q=south", {"Beta"}),
        ("q=100%25", {"Beta"}), ("q=_", set()), ("due=late", set()), ("turn=school", set()),
        ("turn=office", {"Alpha", "Beta"}), (f"school=x&cluster={9**30}", {"Alpha", "Beta"}),
    ):  # fmt: skip
        for view in ("board", "list"):
            page = coordinator.get(f"/requests?view={view}&{query}").text
            main = page.split("<main")[1].split("hc-toolbar")[1].split("</form>")[1]
            assert {word for word in ("Alpha", "Beta") if word in main} == seen, (view, query)
    file = coordinator.get("/requests/requests.csv?q=south")
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [(row["title"], row["school"]) for row in rows] == [("100% Beta", "South High")]


def test_a_teacher_reads_what_happens_next_and_by_when(
    login_as: Any, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    posted(make, school, teacher, title="A talk")
    session.commit()
    page = login_as(teacher).get("/requests").text
    assert "The alumni office approves it, or says what should change." in page
    assert "By Thu, Sep 17." in page


def test_schools_stand_side_by_side_within_the_viewer_s_reach(
    login_as: Any, session: Session, make: Make
) -> None:
    cluster = make.cluster()
    ours, theirs = make.school("Ours High", cluster=cluster), make.school("Theirs High")
    person = make_speaker(make, "Ada", ours)
    filled = make_request(make, ours)
    make_request(make, ours)
    make_request(make, theirs)
    ask(make, filled, person)
    accept(
        session, ask_of(session, person), date_id=dates_of(session, filled.id)[0].id,
        at=make.at + timedelta(days=3),
    )  # fmt: skip
    session.commit()
    page = login_as(make.user(Role.LIAISON, cluster=cluster)).get("/requests/schools").text
    assert "Theirs High" not in page
    row = page.split("Ours High</a></th>")[1].split("</tr>")[0]
    figures = [cell.split("</td>")[0].split(">")[-1] for cell in row.split("<td")[1:]]
    assert figures == ["2", "1", "1", "0", "3"]
    assert letters_to(session, "nobody@mail.example") == []
