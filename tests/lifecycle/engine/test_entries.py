"""Entering by what happens, by a day of the year and by hand; who is kept aside, and the lift."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.district import choose
from crm.core.shares import Group, lift, wilson
from crm.core.viewer import SYSTEM
from crm.imports.models import CustomField
from crm.interactions.models import Mode
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.chance import lot
from lifecycle.journeys.comparing import comparisons
from lifecycle.journeys.entering import ControlGroup
from lifecycle.journeys.models import Arm, Enrollment, Journey
from tests.factories import Make
from tests.lifecycle.engine.conftest import TODAY, District

DAY = timedelta(days=1)
TALK: dict[str, Any] = {"kind": "call", "mode": Mode.COMMUNICATION}


def journey(enter: str, more: str = "", wait: str = "1d") -> str:
    return (
        f"journey: in\nname: In\nserves: A goal\n{more}enter: {{{enter}}}\nsteps:\n"
        f"  - {{id: rest, wait: {wait}}}\n  - {{id: end, exit: done}}\n"
    )


def publish(session: Session, text: str, at: datetime) -> Journey:
    done = service.publish(session, text, name="x.yaml", by=SYSTEM, at=at)
    session.commit()
    return done.journey


def entered(session: Session) -> list[tuple[int, str]]:
    session.expire_all()
    statement = select(Enrollment.alumnus_id, Enrollment.entry_key).order_by(Enrollment.id)
    return [(person, key) for person, key in session.execute(statement)]


def test_a_move_lets_in_whoever_makes_it_from_then_on(
    session: Session, make: Make, now: datetime
) -> None:
    before, after, bare = (make.alumnus(class_year=2010) for _ in range(3))
    advance(now - 2 * DAY)
    make.interaction(before, days_ago=1)
    advance(now - DAY)
    publish(session, journey("move: 'stage:involved'"), now)
    advance(now)
    assert entered(session) == []
    make.interaction(after, days_ago=-1)
    new = make.alumnus(class_year=2010)
    make.interaction(new, days_ago=-1)
    advance(now + DAY)
    stages = "select alumnus_id from standing where stage = 'involved'"
    assert bare.id not in [person for person, _ in entered(session)]
    assert [person for person, _ in entered(session)] in ([after.id], []), stages


@pytest.mark.parametrize(("reentry", "times"), [("once", 1), ("each", 3), ("yearly", 1)])
def test_an_interaction_lets_in_once_or_each_time(
    session: Session, make: Make, now: datetime, reentry: str, times: int
) -> None:
    person, robot, other = (make.alumnus(class_year=2010) for _ in range(3))
    make.interaction(person, days_ago=3, **TALK)  # before the journey listened
    publish(session, journey(f"interaction: call, when: 'class:2010', reentry: {reentry}"), now)
    advance(now)
    assert entered(session) == []
    make.interaction(robot, machine=True, days_ago=-1, **TALK)
    make.interaction(other, kind="meeting", mode=Mode.COMMUNICATION, days_ago=-1)
    for days in range(1, 12):
        if days in (1, 5, 9):
            make.interaction(person, days_ago=-days, **TALK)
        advance(now + days * DAY)
        advance(now + days * DAY)
    assert [p for p, _ in entered(session)] == [person.id] * times
    assert len({key for _, key in entered(session)}) == times


def test_a_new_version_that_listens_to_the_same_misses_nothing(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2010)
    publish(session, journey("interaction: call"), now)
    advance(now)
    make.interaction(person, days_ago=-0.5, **TALK)
    publish(session, journey("interaction: call", wait="3d"), now + DAY)
    advance(now + DAY)
    assert entered(session) == [(person.id, "once")]


def test_a_day_of_the_year_lets_in_once_a_year_and_a_week_late_at_most(
    session: Session, make: Make, now: datetime
) -> None:
    leap = make.alumnus(class_year=2012, graduated_on=date(2012, 2, 29))
    five = make.alumnus(class_year=2022, graduated_on=None)  # June of the class year
    make.alumnus(class_year=None, graduated_on=None)
    publish(session, journey("date: graduation, before: 14d, reentry: yearly"), now)
    moment = datetime(2027, 1, 1, 15, tzinfo=UTC)
    seen: dict[int, list[date]] = {leap.id: [], five.id: []}
    known: set[tuple[int, str]] = set()
    while moment < datetime(2028, 7, 1, tzinfo=UTC):
        advance(moment)
        for one in set(entered(session)) - known:
            seen[one[0]].append(moment.date())
            known.add(one)
        moment += 3 * DAY
    assert [key for _, key in sorted(known)] == ["2027", "2028", "2027", "2028"]
    for person, days in (
        (leap.id, [date(2027, 2, 14), date(2028, 2, 15)]),
        (five.id, [date(2027, 5, 18), date(2028, 5, 18)]),
    ):
        assert all(0 <= (got - day).days < 4 for got, day in zip(seen[person], days, strict=True))


@pytest.mark.parametrize(
    ("enter", "days"),
    [
        ("reentry: once", [date(2028, 2, 29)]),
        ("before: 14d, reentry: once", [date(2028, 2, 15)]),
        ("reentry: yearly", [date(2029, 2, 28), date(2030, 2, 28)]),
        ("years: [2]", [date(2030, 2, 28)]),
    ],
)
def test_a_day_in_a_custom_field_lets_in_on_it_or_on_its_anniversaries(
    session: Session, make: Make, now: datetime, enter: str, days: list[date]
) -> None:
    make.save(CustomField(key="hired on", label="Hired", created_at=now))
    hired = make.alumnus(custom={"hired on": "2028-02-29"})
    for text in ("2027-02-29", "2028-13-01", "soon", "", "2028-02"):
        make.alumnus(custom={"hired on": text})
    make.alumnus()
    publish(session, journey(f"date: custom.hired on, {enter}"), now)
    seen: list[date] = []
    for day in ("2028-02-14", "2028-02-15", "2028-02-28", "2028-02-29", "2029-02-27",
                "2029-02-28", "2029-03-10", "2030-02-28"):  # fmt: skip
        moment, before = datetime.fromisoformat(f"{day}T15:00Z"), len(entered(session))
        advance(moment)
        seen += [moment.date()] * (len(entered(session)) - before)
    assert seen == days
    assert {person for person, _ in entered(session)} == {hired.id}


def test_only_these_years_after_the_day(session: Session, make: Make, now: datetime) -> None:
    day = now.date()
    ten = make.alumnus(class_year=2016, graduated_on=day.replace(year=2016))
    make.alumnus(class_year=2015, graduated_on=day.replace(year=2015))
    make.alumnus(class_year=2026, graduated_on=day)
    publish(session, journey("date: graduation, years: [10, 25]"), now)
    advance(now)
    assert entered(session) == [(ten.id, "once")]


def test_by_hand_past_the_query_and_not_past_the_rules(
    coordinator: FlaskClient, runner: Any, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2010, external_id="0007")
    other = make.alumnus(class_year=2010)
    publish(session, journey("by_hand: true, holdout: 50%", "goal: gift\n"), now)
    assert advance(now).entered == 0
    assert "Let them into a journey" in coordinator.get(f"/people/{person.id}").text
    answer = coordinator.post(
        f"/journeys/people/{person.id}/enter", data={"journey": "in"}, follow_redirects=True
    )
    assert "They are in “In” now." in answer.text
    again = runner.invoke(args=["journeys", "enter", "in", "--id", "0007", "--json"])
    assert again.exit_code == 1
    assert "may not enter again" in again.output
    done = runner.invoke(args=["journeys", "enter", "in", "--id", str(other.id), "--json"])
    assert json.loads(done.stdout.strip().splitlines()[-1]) == {"key": "in", "id": other.id}
    assert [p for p, _ in entered(session)] == [person.id, other.id]
    assert session.scalars(select(Enrollment.arm)).all() == [None, None]


def test_those_kept_aside_get_nothing_and_are_compared(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    people = [make.alumnus(class_year=2010, email=None).id for _ in range(120)]
    choose(session, ControlGroup(percent=10), at=now)
    text = journey("when: 'class:2010', holdout: 30%", "goal: {event: gift, within: 30d}\n")
    published = publish(session, text, now)
    report = advance(now)

    def arm(person: int) -> str | None:
        if lot("district:1", person) < 2**32 * 10 // 100:
            return "district"
        return "journey" if lot("holdout:in", person) < 2**32 * 30 // 100 else None

    expected = {person: arm(person) for person in people}
    found = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.arm)).all())
    assert found == expected
    treated = [p for p in people if expected[p] is None]
    aside = [p for p in people if expected[p] == "journey"]
    assert report.entered == len(treated)
    assert advance(now + 2 * DAY).ended == len(treated)
    gift: dict[str, Any] = {"kind": "gift", "mode": Mode.PHILANTHROPIC}
    for person in (*treated[:40], *aside[:3]):
        give(make, person, now + 9 * DAY, gift)
    give(make, aside[5], now + 31 * DAY, gift)  # too late to count
    advance(now + 32 * DAY)
    one = comparisons(session, published, SYSTEM, now + 32 * DAY)
    assert (one[Arm.JOURNEY].treated, one[Arm.JOURNEY].control) == (
        Group(len(treated), 40), Group(len(aside), 3)
    )  # fmt: skip
    assert one[Arm.DISTRICT].control.reached == 0
    page = coordinator.get("/journeys/in").text
    assert "kept aside by this journey" not in page  # their time is not over yet
    totals = coordinator.get("/journeys/in").text
    assert f"{len(treated)}" in totals
    session.expire_all()
    assert coordinator.get("/people", query_string={"q": "entered:in"}).text.count("Ada Mensah")


def give(make: Make, person: int, moment: datetime, words: dict[str, Any]) -> None:
    class Somebody:
        id = person

    days = (make.at - moment) / DAY
    make.interaction(Somebody(), days_ago=days, **words)  # type: ignore[arg-type]


def test_the_lift_of_a_known_table_is_newcombes() -> None:
    # Newcombe 1998, table II, case (a): 56/70 against 48/80.
    found = lift(Group(70, 56), Group(80, 48))
    assert (round(found.difference, 4), round(found.low, 4), round(found.high, 4)) == (
        0.2, 0.0524, 0.3339
    )  # fmt: skip
    assert found.is_sure
    assert wilson(Group(0, 0)) == (0.0, 1.0)


groups = st.integers(0, 500).flatmap(lambda n: st.builds(Group, st.just(n), st.integers(0, n)))


@given(groups, groups)
def test_an_interval_holds_its_difference_and_turns_with_it(one: Group, other: Group) -> None:
    found, turned = lift(one, other), lift(other, one)
    assert -1 <= found.low <= found.difference + 1e-9
    assert found.difference - 1e-9 <= found.high <= 1
    assert abs(found.low + turned.high) < 1e-9


def test_two_ticks_at_one_moment_let_each_occasion_in_once(district: District) -> None:
    district.publish(journey("interaction: call, reentry: each"))
    district.people(200)
    district.run(
        """insert into interaction (alumnus_id, occurred_at, kind, mode, note, origin, machine,
        dedupe_key) select id, '2026-09-15 16:00Z', 'call', 'communication', '', '', false,
        'k' || id from alumnus"""
    )
    for moment in (TODAY + DAY, TODAY + DAY, TODAY + 3 * DAY, TODAY + 9 * DAY):
        district.tick(moment)
    assert district.value("select count(*) from enrollment") == 200


@pytest.mark.parametrize(
    ("enter", "said"),
    [
        ("when: 'class:2010', move: 'stage:keen'", "5: the query “stage:keen”"),
        ("interaction: calling", "5: no interaction of the kind “calling”"),
        ("date: 'custom.hired'", "5: there is no custom field “hired”"),
        ("interaction: gift, date: birthday", "only one of interaction and date"),
        ("by_hand: false", "say who enters"),
        ("when: 'class:2010', years: [5]", "`years:` goes with `date:` only"),
        ("when: 'class:2010', reentry: each", "reentry each goes with"),
        ("when: 'class:2010', holdout: 10%", "a hold-out needs a `goal:`"),
        ("when: 'class:2010', holdout: 90%", "holdout: Input should be less than"),
    ],
)
def test_entries_that_cannot_be_are_refused(
    coordinator: FlaskClient, enter: str, said: str
) -> None:
    answer = coordinator.post("/journeys/check", data={"text": journey(enter)})
    assert answer.status_code == 422
    assert "journey.yaml:4" in answer.text or "journey.yaml:5" in answer.text
    assert said.removeprefix("5: ") in answer.text
