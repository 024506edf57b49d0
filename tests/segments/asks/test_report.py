"""The report: how asks fall on people, the busiest tenth, and ranked against drawn."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.viewer import Role
from crm.schools.models import School
from segments.asks.lift import hajek
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.requests.models import Request, RequestState
from tests.factories import Make
from tests.segments.story import make_request

keys = count(1)
YES, NO, SILENT = AskState.ACCEPTED, AskState.DECLINED, AskState.NONE


def asked(
    make: Make, person: Alumnus, *, state: AskState = NO, days_ago: float = 5, **values: Any
) -> Ask:
    values.setdefault("dedupe_key", f"report:{next(keys)}")
    at = make.at - timedelta(days=days_ago)
    return make.save(
        Ask(alumnus_id=person.id, way_key="speak", state=state, asked_at=at, reasons=[], **values)
    )


def gave(make: Make, ask: Ask, hours: int, state: CommitmentState) -> None:
    starts = ask.asked_at + timedelta(days=1)
    make.save(
        Commitment(
            ask_id=ask.id, request_id=ask.request_id or 0, alumnus_id=ask.alumnus_id,
            starts_at=starts, ends_at=starts + timedelta(hours=1), state=state,
            hours=Decimal(hours), created_at=ask.asked_at,
        )
    )  # fmt: skip


def people(make: Make, school: School, number: int, **values: Any) -> list[Alumnus]:
    return [make.alumnus("Ada", f"Mensah{n}", school=school, **values) for n in range(number)]


def reported(runner: Any, session: Session, *args: str) -> dict[str, Any]:
    session.commit()
    answer = runner.invoke(args=["asks", "report", "--json", *args])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def stats(page: str) -> dict[str, str]:
    pairs = re.findall(r'hc-stat-value">([^<]*)</div>\s*<div class="hc-stat-label">([^<]*)', page)
    return {label: value for value, label in pairs}


def test_the_busiest_tenth_of_those_asked_and_of_the_willing(
    runner: Any, session: Session, make: Make
) -> None:
    school = make.school()
    crowd = people(make, school, 11, ways=("speak",))
    make.alumnus(school=school, ways=("speak",), do_not_contact=True)
    make.alumnus(school=school)
    for n, person in enumerate(crowd[:6]):
        for _time in range(5 if n == 0 else 1):
            asked(make, person)
    asked(make, crowd[0], state=AskState.CANCELLED)
    asked(make, crowd[6], days_ago=500)
    request = make_request(make, school)
    first = asked(make, crowd[7], state=YES, request_id=request.id)
    second = asked(make, crowd[8], state=YES, request_id=request.id)
    missed = asked(make, crowd[9], state=YES, request_id=request.id)
    gave(make, first, 6, CommitmentState.ATTENDED)
    gave(make, second, 2, CommitmentState.ATTENDED)
    gave(make, missed, 4, CommitmentState.MISSED)

    found = reported(runner, session)
    assert (found["asks"], found["people_asked"], found["yeses"]) == (13, 9, 3)
    assert found["hours"] == 8
    assert found["asked"]["tenth"] == 1
    assert found["asked"]["busiest_asks"] == pytest.approx(5 / 13)
    assert found["asked"]["busiest_hours"] == 0.75
    willing = found["willing"]
    assert (willing["people"], willing["tenth"]) == (11, 2)
    assert willing["busiest_asks"] == pytest.approx(6 / 13)
    assert willing["busiest_hours"] == 1
    assert (willing["not_asked"], willing["never_asked"]) == (2, 1)
    assert found["asks_per_person"] == {"1": 8, "5": 1}


def test_a_period_holds_both_its_days_as_the_office_counts_them(
    runner: Any, session: Session, make: Make
) -> None:
    person = make.alumnus()
    ask = asked(make, person)
    ask.asked_at = make.at.replace(year=2026, month=3, day=11, hour=3, minute=30)
    session.flush()
    # Half past three in Greenwich is still the evening of the tenth at the office.
    assert reported(runner, session, "--from", "2026-03-10", "--to", "2026-03-10")["asks"] == 1
    assert reported(runner, session, "--from", "2026-03-11", "--to", "2026-03-12")["asks"] == 0
    for args in (["--from", "soon"], ["--from", "2026-03-02", "--to", "2026-03-01"]):
        assert runner.invoke(args=["asks", "report", *args]).exit_code == 1


def test_many_asks_of_one_person_stand_together(runner: Any, session: Session, make: Make) -> None:
    often, oftener = make.alumnus(), make.alumnus()
    for person, times in ((often, 10), (oftener, 13)):
        for _time in range(times):
            asked(make, person)
    assert reported(runner, session)["asks_per_person"] == {"10+": 2}


def wave(
    make: Make, request: Request, number: int, ranked: tuple[int, int], drawn: tuple[int, int],
    *, propensity: float = 0.01, school: School | None = None,
) -> None:  # fmt: skip
    """A wave with (answers, yeses) of the ranked and the drawn."""
    home = school or make.school()
    for how, (answers, yeses), p in (("rank", ranked, 1.0), ("explore", drawn, propensity)):
        for n, person in enumerate(people(make, home, answers)):
            asked(
                make, person, request_id=request.id, wave=number, chosen_by=how, propensity=p,
                state=YES if n < yeses else SILENT,
            )  # fmt: skip


def test_ranked_are_compared_with_drawn_and_a_draw_from_everybody_is_estimated(
    runner: Any, session: Session, make: Make
) -> None:
    request = make_request(make, make.school())
    wave(make, request, 1, (20, 12), (30, 3))
    wave(make, request, 2, (20, 8), (0, 0))  # nobody drawn: no sample of everybody
    asked(make, make.alumnus(), state=YES)  # from a file
    told = reported(runner, session)["choice"]
    assert told["ranked"] == {"answers": 40, "yeses": 20}
    assert told["drawn"] == {"answers": 30, "yeses": 3}
    # Newcombe 1998, method 10, by hand: the intervals of 20 in 40 and of 3 in 30 are, by Wilson,
    # 0.3520 to 0.6480 and 0.0346 to 0.2562.
    assert told["lift"]["difference"] == pytest.approx(0.4)
    assert told["lift"]["low"] == pytest.approx(0.1848, abs=5e-4)
    assert told["lift"]["high"] == pytest.approx(0.5618, abs=5e-4)
    everybody = told["everybody"]
    assert everybody["share"] == pytest.approx((12 + 3 * 100) / (20 + 30 * 100))
    assert everybody["worth"] == pytest.approx(3020**2 / (20 + 30 * 10_000))
    assert everybody["low"] < everybody["share"] < everybody["high"]


def test_too_few_drawn_say_nothing(
    login_as: Any, runner: Any, session: Session, make: Make
) -> None:
    wave(make, make_request(make, make.school()), 1, (40, 20), (29, 3))
    told = reported(runner, session)["choice"]
    assert (told["enough"], told["lift"], told["everybody"]) == (False, None, None)
    page = login_as(make.user()).get("/reports/asks").text
    assert "too few to say" in page
    assert "Ranking finds more yeses." not in page


def test_weights_make_a_draw_from_everybody_of_uneven_draws() -> None:
    # Two hundred could be asked, a hundred said yes: 100 ranked for sure with 80 yeses, and of the
    # others 10 with a chance of a tenth each, of whom 2 said yes.
    found = hajek(100 + 10 * 10, 100 + 10 * 100, 80 + 2 * 10)
    assert found.share == 0.5
    assert found.worth == pytest.approx(200**2 / 1100)


def test_the_page_and_its_file_say_the_same(login_as: Any, session: Session, make: Make) -> None:
    wave(make, make_request(make, make.school()), 1, (40, 20), (30, 3))
    make.alumnus(ways=("mentor",))
    session.commit()
    office = login_as(make.user())
    page = office.get("/reports/asks")
    assert page.status_code == 200
    assert "Ranking finds more yeses." in page.text
    shown = stats(page.text)
    assert (shown["asks"], shown["yeses"], shown["willing people never asked"]) == ("70", "23", "1")
    assert 'href="/requests/schools"' in page.text
    bars = page.text.split('id="chart-rates"')[1].split("</figure>")[0]
    assert re.findall(r'hc-fill" width="([^"]+)"', bars) == ["50.0", "10.0", "10.53"]
    assert ["40", "20", "50.0 %", "35.2 % – 64.8 %"] in [
        re.findall(r'class="num">([^<]*)</td>', row) for row in bars.split("<tr>")
    ]
    rows = dict(csv.reader(io.StringIO(office.get("/reports/asks.csv").text)))
    assert (rows["asks"], rows["yeses"], rows["willing.never_asked"]) == ("70", "23", "1")
    assert rows["choice.drawn.answers"] == "30"
    spring = office.get("/reports/asks?from=2020-01-01&to=2020-06-01").text
    assert stats(spring)["asks"] == "0"


def test_a_day_that_is_none_is_said_and_the_year_shown(login_as: Any, make: Make) -> None:
    office = login_as(make.user())
    wrong = office.get("/reports/asks?from=tomorrow")
    assert wrong.status_code == 422
    assert "Write a day as" in wrong.text
    assert office.get("/reports/asks.csv?from=tomorrow").status_code == 422


def test_a_viewer_counts_only_the_people_of_their_own_schools(
    login_as: Any, session: Session, make: Make
) -> None:
    cluster = make.cluster()
    ours, theirs = make.school(cluster=cluster), make.school()
    request = make_request(make, theirs)
    request.state = RequestState.ASKING
    wave(make, request, 1, (30, 10), (30, 3), school=theirs)
    mine = make.alumnus(school=ours, ways=("speak",))
    asked(make, mine, state=YES)
    make.alumnus(school=theirs, ways=("speak",))
    make.alumnus(school=ours, ways=("speak",))
    session.commit()
    for user in (make.user(Role.LIAISON, cluster=cluster), make.user(Role.SCHOOL, school=ours)):
        browser = login_as(user)
        rows = dict(csv.reader(io.StringIO(browser.get("/reports/asks.csv").text)))
        assert (rows["asks"], rows["people_asked"], rows["yeses"]) == ("1", "1", "1")
        assert (rows["willing.people"], rows["willing.never_asked"]) == ("2", "1")
        assert rows["choice.ranked.answers"] == rows["choice.drawn.answers"] == "0"
        assert stats(browser.get("/reports/asks").text)["asks"] == "1"


def test_a_blocked_person_counts_for_those_who_may_know_of_them(
    login_as: Any, session: Session, make: Make
) -> None:
    asked(make, make.alumnus(ferpa_block=True))
    session.commit()
    counts = [
        stats(login_as(make.user(role)).get("/reports/asks").text)["asks"]
        for role in (Role.COORDINATOR, Role.VIEWER)
    ]
    assert counts == ["1", "0"]


def test_reports_are_found_from_the_navigation(login_as: Any, make: Make) -> None:
    office = login_as(make.user())
    assert 'href="/reports"' in office.get("/").text
    page = office.get("/reports").text
    assert 'href="/reports/asks"' in page
    assert 'href="/requests/schools"' in page
