"""Posting, following, approving and cancelling a request, on its pages and by command."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.core.viewer import Role
from crm.mail.models import Message
from segments.requests.draft import Draft
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.service import create_request
from tests.factories import Make
from tests.segments.story import day_ahead, make_request, slot

FORM = {
    "way_key": "speak", "subject_key": "", "time_1": "09:00", "minutes": "60", "grade_band": "9-12",
    "pupils": "25", "places": "1", "place": "school", "supervision": "supervised", "language": "",
    "title": "", "note": "",
}  # fmt: skip


def filled(make: Make, school: int, **changes: str) -> dict[str, Any]:
    day = day_ahead(make.at, 20).date().isoformat()
    return {**FORM, "school_id": school, "date_1": day, **changes}


def test_times_are_read_in_the_school_s_own_zone(
    login_as: Any, session: Session, make: Make
) -> None:
    school = make.school(time_zone="America/Denver")
    browser = login_as(make.user(Role.SCHOOL, school=school))
    browser.post("/requests/new", data=filled(make, school.id, minutes="45"))
    choice = session.scalars(select(RequestDate)).one()
    assert choice.starts_at.hour == 15  # 9:00 in Denver, in daylight time
    assert choice.ends_at - choice.starts_at == timedelta(minutes=45)
    assert "9:00" in browser.get(f"/requests/{choice.request_id}").text


def test_what_is_missing_is_said_at_its_field_and_nothing_is_posted(
    login_as: Any, session: Session, make: Make
) -> None:
    school = make.school()
    browser = login_as(make.user(Role.SCHOOL, school=school))
    yesterday = (make.at - timedelta(days=1)).date().isoformat()
    for changes, words in (
        ({"date_1": yesterday}, "from tomorrow on"),
        ({"pupils": "0"}, "pupils"),
        ({"places": "99999999999999999999"}, "places"),
        ({"way_key": "bribe"}, "way_key"),
        ({"date_1": "soon"}, "date_1"),
        ({"title": "x" * 100_000}, "title"),
        ({"school_id": str(2**80)}, "school_id"),
        ({"school_id": "0"}, "school_id"),
        ({"grade_band": "\x00"}, "grade_band"),
    ):
        answer = browser.post("/requests/new", data=filled(make, school.id, **changes))
        assert answer.status_code == 422, changes
        assert words in answer.text
    assert session.scalars(select(Request)).all() == []


def test_a_school_edits_until_it_is_approved_and_reads_why_it_came_back(
    client: FlaskClient, login_as: Any, session: Session, make: Make
) -> None:
    school = make.school()
    teacher, liaison = make.user(Role.SCHOOL, school=school), make.user(Role.COORDINATOR)
    login_as(teacher)
    client.post("/requests/new", data=filled(make, school.id))
    request = session.scalars(select(Request)).one()
    address = f"/requests/{request.id}"
    login_as(liaison)
    client.post(f"{address}/send-back", data={"reason": "Name a second date, please."})
    letter = session.scalars(select(Message).where(Message.to_address == teacher.email)).one()
    assert letter.merge["reason"] == "Name a second date, please."
    login_as(teacher)
    assert "Name a second date, please." in client.get(address).text
    second = day_ahead(make.at, 30).date().isoformat()
    again = client.post(
        f"{address}/edit", data=filled(make, school.id, date_2=second, time_2="13:30", pupils="31")
    )
    assert again.status_code == 303
    assert client.post(f"{address}/submit").status_code == 303
    session.expire_all()
    assert (request.state, request.pupils, request.reason) == (RequestState.SUBMITTED, 31, None)
    assert len(session.scalars(select(RequestDate)).all()) == 2
    login_as(liaison)
    client.post(f"{address}/approve")
    login_as(teacher)
    assert client.get(f"{address}/edit").status_code == 409
    assert client.post(f"{address}/edit", data=filled(make, school.id)).status_code in {409, 303}
    client.post(f"{address}/cancel", data={"reason": "Exam week"})
    session.expire_all()
    assert request.state is RequestState.CANCELLED
    assert request.pupils == 31
    assert client.post(f"{address}/cancel").status_code in {409, 303}


def test_a_draft_waits_until_it_is_posted(login_as: Any, session: Session, make: Make) -> None:
    school = make.school()
    browser = login_as(make.user(Role.SCHOOL, school=school))
    browser.post("/requests/new", data=filled(make, school.id, draft="1"))
    assert session.scalars(select(Request)).one().state is RequestState.DRAFT
    assert "Posted" in browser.get("/requests?group=draft").text


def test_whoever_may_ask_needs_nobody_s_approval(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    coordinator.post("/requests/new", data=filled(make, school.id))
    assert session.scalars(select(Request)).one().state is RequestState.APPROVED


@pytest.mark.parametrize("role", [Role.SCHOOL, Role.LIAISON, Role.VIEWER])
def test_a_guessed_request_of_another_school_is_not_there(
    login_as: Any, session: Session, make: Make, role: Role
) -> None:
    ours, theirs = make.school(), make.school(cluster=make.cluster())
    foreign = make_request(make, theirs, title="Foreign talk")
    session.commit()
    browser = login_as(make.user(role, school=ours))
    address = f"/requests/{foreign.id}"
    assert browser.get(address).status_code == 404
    assert "Foreign talk" not in browser.get("/requests").text
    for verb in ("edit", "submit", "approve", "send-back", "cancel", "asks"):
        answer = browser.post(f"{address}/{verb}", data={"reason": "x", "person": "1"})
        assert answer.status_code in {403, 404}, verb
    assert browser.get(f"{address}/candidates").status_code in {403, 404}
    assert browser.get(f"/requests/{2**70}").status_code == 404
    if role is not Role.VIEWER:
        refused = browser.post("/requests/new", data=filled(make, theirs.id))
        assert refused.status_code == 422
    session.expire_all()
    assert foreign.state is RequestState.APPROVED


def test_a_liaison_sees_the_whole_cluster(login_as: Any, session: Session, make: Make) -> None:
    cluster = make.cluster()
    inside = make_request(make, make.school(cluster=cluster), title="Inside talk")
    make_request(make, make.school(), title="Outside talk")
    session.commit()
    page = login_as(make.user(Role.LIAISON, cluster=cluster)).get("/requests").text
    assert "Inside talk" in page
    assert "Outside talk" not in page
    assert inside.id


def test_the_board_pages_through_many_requests(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    for n in range(60):
        make_request(make, school, title=f"Talk {n:02d}")
    session.commit()
    first = coordinator.get("/requests?view=list").text
    assert first.count("Talk ") == 50
    after = first.split("after=")[1].split("&")[0].split('"')[0]
    assert coordinator.get(f"/requests?view=list&after={after}").text.count("Talk ") == 10
    assert coordinator.get("/requests?after=%00%ff&group=nonsense").status_code == 400
    assert coordinator.get("/requests?after=x&group=nonsense").status_code == 200


YAML = """
requests:
  - school: {nces}
    way: speak
    subject: health
    title: Careers in health
    dates: [{first}T09:30, 2026-11-02 10:00]
    pupils: 28
    place: virtual
  - school: {nces}
    way: mentor
    dates: [{first}T15:00-04:00]
"""


def test_requests_come_from_a_file(
    runner: Any, session: Session, make: Make, tmp_path: Path
) -> None:
    school = make.school()
    session.commit()
    file = tmp_path / "requests.yaml"
    first = (make.at.date() + timedelta(days=20)).isoformat()
    file.write_text(YAML.format(nces=school.nces_id, first=first))
    answer = runner.invoke(args=["requests", "create", str(file), "--json"])
    assert answer.exit_code == 0, answer.output
    report = json.loads(answer.output.splitlines()[-1])
    assert report["created"] == 2
    one = session.get_one(Request, report["ids"][0])
    assert (one.title, one.state, one.pupils) == ("Careers in health", RequestState.APPROVED, 28)
    listed = runner.invoke(args=["requests", "list", "--json"])
    rows = json.loads(listed.output.splitlines()[-1])["requests"]
    assert {row["title"] for row in rows} == {"Careers in health", "Mentor a pupil"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- school: nowhere\n  way: speak\n  dates: [2026-10-20T09:00]\n", "line 1, school"),
        ("- {school: X, way: speak, dates: [soon]}\n", "dates.0"),
        ("- {school: X, way: speak, dates: [2026-10-20T09:00], colour: red}\n", "colour"),
        ("- {school: X", "line"),
        ("", "holds no request"),
        ("a: &a [*a]", "school"),
        ("- [1, 2]\n", "line 1"),
        ('- {school: X, way: "s\\0", dates: [2026-10-20T09:00]}', "characters"),
    ],
)
def test_a_file_with_a_fault_posts_nothing_and_says_where(
    runner: Any, session: Session, make: Make, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text(text)
    answer = runner.invoke(args=["requests", "create", str(file)])
    assert answer.exit_code == 1
    assert "faulty.yaml" in answer.output
    assert words in answer.output
    assert session.scalars(select(Request)).all() == []


def test_one_bad_entry_takes_the_good_ones_with_it(
    runner: Any, session: Session, make: Make, tmp_path: Path
) -> None:
    school = make.school()
    session.commit()
    file = tmp_path / "mixed.json"
    day = date(2026, 10, 20).isoformat()
    good = {"school": school.nces_id, "way": "speak", "dates": [f"{day}T09:00"]}
    file.write_text(json.dumps([good, {**good, "way": "bribe"}, {**good, "pupils": 0}]))
    answer = runner.invoke(args=["requests", "create", str(file), "--json"])
    assert answer.exit_code == 1
    assert "mixed.json, entry 2, way" in answer.output
    assert "mixed.json, entry 3, pupils" in answer.output
    assert session.scalars(select(Request)).all() == []
    file.write_bytes(b"\xff\xfe{")
    assert runner.invoke(args=["requests", "create", str(file)]).exit_code == 1
    file.write_text("[" * 100_000)
    assert runner.invoke(args=["requests", "create", str(file)]).exit_code == 1


def test_the_home_page_says_what_waits(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    teacher = make.user(Role.SCHOOL, school=school)
    draft = Draft(school_id=school.id, way_key="speak", slots=(slot(make.at, 20),))
    create_request(session, draft, by=viewer_for(session, teacher), at=make.at)
    session.commit()
    page = coordinator.get("/").text
    assert "Requests from schools" in page
    assert "request waits for approval" in page
