"""Ranking with reasons, counts of those who cannot be asked, waves and the share that explores."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from babel.dates import format_date
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.alumni.models import Interest
from crm.core.viewer import Role
from segments.asks.models import Ask, AskState
from segments.asks.rules import NEVER
from segments.desk import service
from segments.desk.beside import intervals
from segments.desk.match import match
from segments.desk.waves import explored, suggest
from tests.factories import Make
from tests.segments.story import make_request, make_speaker


def test_fit_chance_and_fairness_decide_in_plain_words(session: Session, make: Make) -> None:
    cluster = make.cluster()
    school = make.school(cluster=cluster, city="Atlanta", state="GA")
    request = make_request(make, school)
    near = {"city": "Atlanta", "state": "GA"}
    best = make_speaker(make, "Best", school, subjects=("health",), **near)
    make.interaction(best, days_ago=200)
    nurse = make_speaker(
        make, "Nurse", make.school(cluster=cluster), field_of_work="Health", **near
    )
    other = make_speaker(make, "Other", make.school(), state="CA", city="Fresno")
    tired = make_speaker(make, "Tired", school, subjects=("health",), **near)
    for days in (70, 100, 200):
        asked_at = make.at - timedelta(days=days)
        make.save(
            Ask(alumnus_id=tired.id, way_key="mentor", state=AskState.NONE, asked_at=asked_at,
                reasons=[])
        )  # fmt: skip
    found = match(session, request, at=make.at)
    order = [c.alumnus_id for c in found.candidates]
    assert order[0] == best.id
    assert order.index(nurse.id) < order.index(other.id)
    assert order.index(tired.id) > 0
    words = {c.alumnus_id: " ".join(c.reasons) for c in found.candidates}
    assert "went to this school (2015)" in words[best.id]
    assert "helped once" in words[best.id]
    assert "went to school in this cluster" in words[nurse.id]
    assert "works in this field" in words[nurse.id]
    assert "lives far away" in words[other.id]
    assert "said yes to 0 of 3 asks" in words[tired.id]
    assert [c.rank for c in found.candidates] == [1, 2, 3, 4]
    assert all(0 < c.probability < 1 for c in found.candidates)


def test_everybody_is_either_a_candidate_or_counted_with_a_reason(
    session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    make_speaker(make, "Fine", school)
    make.alumnus("Uncleared", school=school, ways=("speak",))
    make_speaker(make, "Gone", school, deceased=True)
    make.alumnus("Shy", school=school)
    found = match(session, request, at=make.at)
    assert found.eligible == 1
    assert found.ineligible == {"not_cleared": 1, "deceased": 1, "way_not_offered": 1}
    assert found.eligible + sum(found.ineligible.values()) == 4


def test_matching_takes_a_fixed_number_of_statements(
    session: Session, make: Make, queries: list[str]
) -> None:
    school = make.school()
    request = make_request(make, school)
    make_speaker(make, "One", school)
    queries.clear()
    match(session, request, at=make.at)
    few = len(queries)
    for n in range(15):
        make_speaker(make, f"More{n}", school)
    session.flush()
    queries.clear()
    match(session, request, at=make.at)
    assert len(queries) <= few
    assert few <= 20


def test_an_empty_district_is_an_honest_answer(session: Session, make: Make) -> None:
    request = make_request(make, make.school())
    found = match(session, request, at=make.at)
    assert (found.candidates, found.eligible, dict(found.ineligible)) == ((), 0, {})


def test_a_tenth_of_all_places_in_waves_is_drawn() -> None:
    drawn = sum(explored(5, f"{n}:1", share=0.1) for n in range(2000))
    assert 900 < drawn < 1100
    assert explored(5, "7:1", share=0.1) == explored(5, "7:1", share=0.1)
    assert explored(30, "7:1", share=0.1) == 3


def test_those_drawn_are_recorded_with_their_chance(session: Session, make: Make) -> None:
    school = make.school()
    request = make_request(make, school, places=5)
    people = [make_speaker(make, f"Person{n}", school) for n in range(40)]
    for n, person in enumerate(people):
        for k in range(n % 5):
            make.interaction(person, days_ago=100 + 10 * k)
    chosen = suggest(session, request, at=make.at, size=20).chosen
    drawn = [c for c in chosen if c.chosen_by == "explore"]
    assert (len(chosen), len(drawn)) == (20, 2)
    assert all(c.rank > 18 and c.propensity == pytest.approx(2 / 22, rel=1e-5) for c in drawn)
    assert {c.propensity for c in chosen if c.chosen_by == "rank"} == {1.0}
    assert chosen == suggest(session, request, at=make.at, size=20).chosen


def test_the_command_answers_candidates_and_reasons(
    runner: Any, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    ada = make_speaker(make, "Ada", school)
    make.alumnus("Ben", school=school, ways=("speak",))
    session.commit()
    answer = runner.invoke(args=["requests", "match", str(request.id), "--json", "--limit", "5"])
    report = json.loads(answer.output.splitlines()[-1])
    assert [c["person_id"] for c in report["candidates"]] == [ada.id]
    assert report["candidates"][0]["rank"] == 1
    assert report["candidates"][0]["reasons"]
    assert report["ineligible"] == {"not_cleared": 1}
    assert runner.invoke(args=["requests", "match", "999999"]).exit_code == 1


def test_a_liaison_is_shown_only_people_of_the_cluster(
    login_as: Any, session: Session, make: Make
) -> None:
    cluster = make.cluster()
    school = make.school(cluster=cluster)
    request = make_request(make, school)
    inside = make_speaker(make, "Inside", school)
    outside = make_speaker(make, "Outside")
    session.commit()
    browser = login_as(make.user(Role.LIAISON, cluster=cluster))
    page = browser.get(f"/requests/{request.id}/candidates").text
    assert "Inside" in page
    assert "Outside" not in page
    forged = browser.post(f"/requests/{request.id}/asks", data={"person": [outside.id, "x", "²"]})
    assert forged.status_code == 422
    assert session.scalars(select(Ask)).all() == []
    browser.post(f"/requests/{request.id}/asks", data={"person": [outside.id, inside.id]})
    assert list(session.scalars(select(Ask.alumnus_id))) == [inside.id]


def test_a_large_district_counts_obstacles_when_somebody_wants_to_know(
    coordinator: FlaskClient, session: Session, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = make.school()
    request = make_request(make, school)
    make_speaker(make, "Ada", school)
    make.alumnus("Ben", school=school, ways=("speak",))
    session.commit()
    address = f"/requests/{request.id}/candidates"
    assert "<strong>1</strong> lack the clearance" in coordinator.get(address).text
    monkeypatch.setattr(service, "QUICKLY", -1)
    page = coordinator.get(f"{address}?fair=40").text
    assert "<strong>1</strong> lack the clearance" not in page
    link = re.search(r'href="([^"]*others=1[^"]*)"', page)
    assert link is not None
    assert "fair=40" in link[1]
    assert "<strong>1</strong> lack the clearance" in coordinator.get(unescape(link[1])).text


def test_the_page_says_why_somebody_is_not_there(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    ben = make.alumnus("Ben", school=school, ways=("speak",), external_id="0077")
    ben.paused_until = make.at.date()
    session.commit()
    page = coordinator.get(f"/requests/{request.id}/candidates?person=0077").text
    told = " ".join(page.split())
    until = format_date(make.at.date(), "medium")
    assert f"asked for a pause (until {until}); lack the clearance on the date" in told
    assert "nothing is on record" in told
    by_name = coordinator.get(f"/requests/{request.id}/candidates?person=ben").text
    assert f"asked for a pause (until {until})" in " ".join(by_name.split())
    assert "Nobody can be asked now" in page
    for text in ("nobody", "\x00", "9" * 400, "é" * 5000):
        address = f"/requests/{request.id}/candidates"
        answer = coordinator.get(address, query_string={"person": text})
        assert answer.status_code < 500
    assert ben.id


def test_never_stays_never_when_somebody_else_offers_the_way(session: Session, make: Make) -> None:
    school = make.school()
    request = make_request(make, school)
    done = make_speaker(make, "Done", school)
    asked_at = make.at - timedelta(days=200)
    make.save(
        Ask(
            alumnus_id=done.id, way_key="speak", state=AskState.DECLINED, asked_at=asked_at,
            answered_at=asked_at, rest_until=NEVER, note="never", reasons=[],
        )
    )  # fmt: skip
    session.execute(update(Interest).values(since=asked_at - timedelta(days=1)))
    eager = make_speaker(make, "Eager", school)
    mine = Interest.alumnus_id == eager.id
    session.execute(update(Interest).where(mine).values(since=make.at - timedelta(days=1)))
    found = match(session, request, at=make.at)
    assert [c.alumnus_id for c in found.candidates] == [eager.id]
    assert found.ineligible == {"said_never": 1}


def test_the_page_sets_candidates_side_by_side_and_tries_other_values(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school, places=2)
    for n in range(8):
        person = make_speaker(make, f"P{n}", school)
        make.interaction(person, days_ago=100 + n)
    session.commit()
    address = f"/requests/{request.id}/candidates"
    page = " ".join(coordinator.get(address).text.split())
    for words in ("Background check", "never", "not asked", "helped once", "The whole district"):
        assert words in page
    small = coordinator.get(f"{address}?size=1&fair=0").text
    assert small.count(" checked>") == 1
    assert coordinator.get(f"{address}?size=x&fair=9999").status_code == 200
    several = coordinator.get(f"{address}?size=5").text
    assert several.count(" checked>") == 5
    assert coordinator.get(address).text.count(" checked>") != 5
    assert session.scalars(select(Ask)).all() == []


def test_whoever_was_shown_with_other_values_can_be_asked(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    request = make_request(make, school)
    people = [make_speaker(make, f"P{n}", school) for n in range(40)]
    for person in people:
        for k in range(1, 4):
            make.interaction(person, days_ago=30 * k)
    session.commit()
    address = f"/requests/{request.id}/candidates?size=9&fair=200"
    ticked = re.findall(r'value="(\d+)" id="p\d+" checked', coordinator.get(address).text)
    assert len(ticked) == 9
    sent = {"person": ticked, "size": 9, "fair": 200}
    coordinator.post(f"/requests/{request.id}/asks", data=sent)
    assert {str(n) for n in session.scalars(select(Ask.alumnus_id))} == set(ticked)


def test_an_interval_narrows_with_what_came_of_asks_with_like_chances(
    session: Session, make: Make
) -> None:
    ((low, high),) = intervals(session, "speak", make.at, [0.3])
    assert low < 0.3 < high
    for n in range(200):
        person = make.alumnus(f"P{n}", email=None)
        state = AskState.ACCEPTED if n % 10 < 3 else AskState.NONE
        asked_at = make.at - timedelta(days=100)
        make.save(
            Ask(alumnus_id=person.id, way_key="speak", state=state, asked_at=asked_at,
                probability=0.28, reasons=[])
        )  # fmt: skip
    ((near_low, near_high), (far_low, far_high)) = intervals(session, "speak", make.at, [0.3, 0.8])
    assert near_high - near_low < 0.1 < (high - low) / 2
    assert far_high - far_low > 0.2
