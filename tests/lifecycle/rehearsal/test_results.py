"""What a rehearsal says: the same for the same seed, in bands, for one journey, by week."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm.core.errors import NotFound, Refused
from lifecycle.rehearsal.days import Nobody
from lifecycle.rehearsal.running import Order, rehearse
from tests.lifecycle.rehearsal.conftest import DAY, TODAY, District
from tests.lifecycle.rehearsal.rehearsing import ACTING, HELLO, YEARS


def test_the_same_seed_says_the_same_and_another_differs(district: District) -> None:
    district.people(80)
    district.publish(HELLO)

    def told(seed: int) -> Any:
        order = Order(months=1, runs=1, seed=seed)
        return rehearse(district.app, order, TODAY, lambda _: None).result

    first = told(1)
    assert told(1) == first
    assert told(2)["weeks"] != first["weeks"]


def test_runs_become_bands_and_a_sample_stands_for_everybody(district: District) -> None:
    district.people(200)
    district.publish(HELLO)
    found = rehearse(district.app, Order(months=1, runs=3, people=50), TODAY, lambda _: None).result
    low, middle, high = found["totals"]["messages"]
    assert 0 < low <= middle <= high
    assert low < high
    assert found["people"] < found["population"] == 200
    everybody = rehearse(district.app, Order(months=1, runs=1), TODAY, lambda _: None).result
    assert low * 0.6 < everybody["totals"]["messages"][1] < high * 1.6
    assert sum(n[1] for n in everybody["contacts"].values()) == 200
    for week in everybody["weeks"]:
        assert sum(n[1] for n in week["stages"].values()) == 200
    assert (
        sum(week["messages"][1] for week in everybody["weeks"])
        == (everybody["totals"]["messages"][1])
    )


def test_one_journey_is_rehearsed_alone(district: District) -> None:
    district.people(100)
    district.publish(HELLO, YEARS)
    order = Order(journey="years", months=1, fixed=True)
    found = rehearse(district.app, order, TODAY, lambda _: None).result
    assert {step["journey"] for step in found["steps"]} == {"years"}
    assert found["totals"]["by_topic"].keys() == {"events"}
    # Nobody ever does anything, so that nobody can have risen to that branch.
    assert found["unreached"] == [{"journey": "years", "step": "more"}]
    with pytest.raises(NotFound):
        rehearse(district.app, Order(journey="none"), TODAY, lambda _: None)


def test_a_draft_is_rehearsed_beside_what_is_live(district: District) -> None:
    district.people(100)
    district.publish(YEARS)
    draft = YEARS.replace('"years:5,10,25"', '"years:5,10,15,20,25"')
    order = Order(months=1, fixed=True, draft=draft)
    found = rehearse(district.app, order, TODAY, lambda _: None).result
    more = found["totals"]["messages"][1] - found["live"]["totals"]["messages"][1]
    assert more > 0
    assert found["difference"]["messages"] == more
    assert district.rows("select count(*) from journey_version") == [(1,)]
    with pytest.raises(Refused):
        rehearse(district.app, Order(draft="journey: x"), TODAY, lambda _: None)


def test_a_rehearsal_writes_no_letter_and_uses_no_transport(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a transport was made")

    monkeypatch.setattr("crm.mail.delivery.transport_of", never)
    monkeypatch.setattr("crm.mail.transports.transport_of", never)
    district.people(30)
    district.publish(HELLO)
    found = rehearse(district.app, Order(months=1, fixed=True), TODAY, lambda _: None)
    assert found.result["totals"]["messages"][1] > 0
    assert district.rows("select count(*) from mailbox_item") == [(0,)]


def test_the_command_says_it_by_week(district: District) -> None:
    district.people(40)
    district.publish(HELLO)
    runner = district.app.test_cli_runner()
    arguments = ["lifecycle", "rehearse", "--months", "1", "--runs", "1", "--json"]
    with district.app.app_context():  # a fixture of wider scope may have another app's open
        done = runner.invoke(args=[*arguments, "--as-of", "2026-09-15T15:00", "--journey", "hello"])
        unknown = runner.invoke(args=[*arguments, "--journey", "none"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["weeks"]) == 5
    assert told["weeks"][0]["messages"][1] > 0
    assert told["weeks"][0]["stages"]
    assert {"skipped", "by_topic", "entered", "tasks"} <= told["weeks"][0].keys()
    assert told["most_contacted"][0]["messages"] >= 1
    assert unknown.exit_code == 1


def test_tasks_for_staff_are_counted_by_week(district: District) -> None:
    district.people(60)
    district.publish(ACTING)
    found = rehearse(district.app, Order("acting", 1, fixed=True), TODAY, lambda _: None).result
    called = next(step["ran"][1] for step in found["steps"] if step["step"] == "call")
    assert [week["tasks"][1] for week in found["weeks"]] == [called, 0, 0, 0, 0]
    assert called > 0
    assert {"news", "volunteering"} == found["totals"]["by_topic"].keys()
    assert district.rows("select count(*) from staff_task") == [(0,)]


def test_queries_about_what_was_long_ago_find_it_in_the_copy(district: District) -> None:
    district.people(60)
    district.publish(YEARS)
    district.lived(3, Nobody())
    later = TODAY + 100 * DAY
    asking = "journey: again\nname: Again\nserves: Come together\nenter: mailed:1y\nsteps:\n"
    steps = "  - {id: one, send: letter, topic: news}\n  - {id: done, exit: done}\n"
    district.publish(asking + steps)
    found = rehearse(district.app, Order("again", 1, fixed=True), later, lambda _: None).result
    mailed = "select count(distinct alumnus_id) from message where state = 'accepted'"
    [(number,)] = district.rows(mailed)
    assert found["totals"]["entered"] == {"again": [number] * 3}
    assert number > 0
