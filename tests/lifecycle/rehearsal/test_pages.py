"""The pages: ask, follow, look at the picture, take the figures along."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM, Role
from lifecycle.rehearsal import service
from lifecycle.rehearsal.models import Rehearsal, RehearsalState
from lifecycle.rehearsal.running import Order
from lifecycle.rehearsal.views import picture, table
from tests.factories import Make
from tests.lifecycle.rehearsal.conftest import TODAY, District
from tests.lifecycle.rehearsal.rehearsing import YEARS


def test_a_rehearsal_is_asked_for_and_followed(
    coordinator: FlaskClient, session: Session, now: datetime
) -> None:
    answer = coordinator.post("/journeys/rehearsal", data={"months": "3", "people": "1000"})
    assert answer.status_code == 303
    found = session.scalars(select(Rehearsal)).one()
    assert (found.months, found.people, found.state) == (3, 1000, RehearsalState.RUNNING)
    page = coordinator.get(answer.location)
    assert 'data-refresh="' in page.text
    again = coordinator.post("/journeys/rehearsal", data={"months": "3", "people": "0"})
    assert "under way" in coordinator.get(again.location).text
    assert len(session.scalars(select(Rehearsal)).all()) == 1


def test_a_draft_with_a_fault_is_told_and_nothing_begins(
    coordinator: FlaskClient, session: Session, now: datetime
) -> None:
    data = {"months": "1", "people": "0", "draft": "journey: x"}
    answer = coordinator.post("/journeys/rehearsal", data=data)
    assert answer.status_code == 422
    assert "journey.yaml:1" in answer.text
    assert session.scalars(select(Rehearsal)).all() == []


@pytest.mark.parametrize("role", [Role.LIAISON, Role.SCHOOL, Role.VIEWER])
def test_others_may_not(make: Make, login_as: Callable[[User], FlaskClient], role: Role) -> None:
    browser = login_as(make.user(role))
    assert browser.get("/journeys/rehearsal").status_code in (403, 404)
    assert browser.post("/journeys/rehearsal").status_code in (403, 404)


def test_the_worker_lives_through_it_and_keeps_what_came(district: District) -> None:
    district.people(90)
    district.publish(YEARS)
    with district.app.app_context(), clock.at(TODAY):
        session = db.session()
        order = Order("years", 1, None, 2, draft=YEARS.replace("5,10,25", "5,10,15,25"))
        run_id = service.ask(session, order, by=SYSTEM, at=TODAY).id
        session.commit()
        service.run(run_id)
        found = service.load(session, run_id)
        session.refresh(found)
        assert (found.state, found.error, found.done) == (RehearsalState.READY, None, 100)
        assert found.version_id is not None
        assert found.result is not None
        assert found.result["difference"]["messages"] > 0
        assert found.result["most"]
        with district.app.test_request_context():
            shown = picture(session, found.result)
            rows = list(csv.DictReader(io.StringIO(table(found.result))))
        assert re.fullmatch(r"M[\d. ]+( L[\d. ]+)+ Z", shown.weeks.area)
        assert shown.after.total == 90
        weeks = [row for row in rows if row["figure"] == "messages"]
        told = sum(int(row["middle"]) for row in weeks)
        assert told == sum(point[2] for point in shown.weeks.points) > 0
        service.run(run_id)


def test_one_under_way_is_stopped_from_its_page_and_keeps_nothing(
    coordinator: FlaskClient, session: Session, now: datetime
) -> None:
    coordinator.post("/journeys/rehearsal", data={"months": "1", "people": "0"})
    found = session.scalars(select(Rehearsal)).one()
    page = f"/journeys/rehearsals/{found.id}"
    assert f'action="{page}/cancel"' in coordinator.get(page).text
    assert coordinator.post(f"{page}/cancel").status_code == 303
    session.expire_all()
    assert (found.state, found.ended_at) == (RehearsalState.CANCELLED, now)
    trail = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc())).first()
    assert trail == "rehearsal.cancelled"
    assert "was stopped" in coordinator.get(page).text
    assert "over already" in coordinator.post(f"{page}/cancel", follow_redirects=True).text


def test_whoever_lives_through_it_notices_that_it_was_stopped(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    district.people(60)
    district.publish(YEARS)
    monkeypatch.setattr(service, "EVERY", 0.0)
    days: list[int] = []

    def stopping(rehearsal_id: int, *_: object) -> None:
        days.append(rehearsal_id)
        district.run("update rehearsal set state = 'cancelled'")

    monkeypatch.setattr("lifecycle.rehearsal.days.advance", stopping)
    with district.app.app_context(), clock.at(TODAY):
        session = db.session()
        run_id = service.ask(session, Order(None, 1), by=SYSTEM, at=TODAY).id
        session.commit()
        service.run(run_id)
        found = service.load(session, run_id)
        session.refresh(found)
        assert (found.state, found.result, len(days)) == (RehearsalState.CANCELLED, None, 1)


def test_an_erased_person_leaves_the_list_of_the_most_mailed(
    runner: Any, make: Make, session: Session
) -> None:
    people = [make.alumnus(external_id=f"0004{n}") for n in range(2)]
    most = [[person.id, 3] for person in people]
    run = make.save(
        Rehearsal(
            months=1, runs=1, state=RehearsalState.READY, asked_at=make.at,
            result={"most": most, "weeks": []},
        )
    )  # fmt: skip
    session.commit()
    told = runner.invoke(args=["people", "export", "--id", "00040", "--json"])
    assert "rehearsal" not in told.output
    done = runner.invoke(args=["people", "erase", "--id", "00040", "--yes", "--json"])
    assert done.exit_code == 0, done.output
    session.expire_all()
    assert run.result == {"most": most[1:], "weeks": []}


def test_a_failure_is_told(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(service, "rehearse", breaks)
    with district.app.app_context(), clock.at(TODAY):
        session = db.session()
        run_id = service.ask(session, Order(), by=SYSTEM, at=TODAY).id
        session.commit()
        with pytest.raises(RuntimeError):
            service.run(run_id)
        found = service.load(session, run_id)
        session.refresh(found)
        assert (found.state, found.error) == (RehearsalState.FAILED, service.WENT_WRONG)
