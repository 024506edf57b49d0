"""What becomes of an answer: called off, not cleared, kept from other schools, noted, put off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import ContactPoint
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.interactions.models import Interaction
from crm.mail.delivery import deliver
from crm.mail.models import Message
from crm.schools.models import School
from segments.asks.eligibility import need_of, why_not
from segments.asks.models import AskState, Commitment, CommitmentState
from segments.clearance.models import Clearance
from segments.clearance.service import revoke_clearance
from segments.requests.models import RequestState
from segments.requests.queries import dates_of
from segments.requests.service import cancel
from tests.factories import Make
from tests.segments.story import (
    ask,
    ask_of,
    contents_to,
    make_request,
    make_speaker,
    press,
    slot,
    token,
)


def test_a_cancelled_request_tells_whoever_had_said_yes(
    app: Flask, client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, request, address = asked
    ben = make_speaker(make, "Ben")
    request.places = 2
    ask(make, request, ben)
    session.commit()
    deliver(app, at=make.at)
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    cancel(session, request, by=SYSTEM, at=make.at)
    session.commit()
    assert ask_of(session, ben).state is AskState.CANCELLED
    assert any(":ask-cancelled:" in key for key in contents_to(session, ben))
    assert any(":visit-cancelled:" in key for key in contents_to(session, ada))
    assert "no longer needed" in client.get(address).text
    assert press(client, address, "no").status_code == 200


def test_an_unsent_letter_of_a_taken_place_does_not_go(
    app: Flask, client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    _ada, request, address = asked
    ben = make_speaker(make, "Ben")
    ask(make, request, ben)
    session.commit()
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    deliver(app, at=make.at)
    letter = session.scalars(select(Message).where(Message.alumnus_id == ben.id)).one()
    assert (letter.state, letter.reason) == ("skipped", "released")


def test_a_revoked_clearance_stops_the_letter_and_the_yes(
    app: Flask, client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, request, address = asked
    clearance = session.scalars(select(Clearance).where(Clearance.alumnus_id == ada.id)).one()
    revoke_clearance(session, clearance, by=SYSTEM, at=make.at)
    session.commit()
    deliver(app, at=make.at)
    letter = session.scalars(select(Message).where(Message.alumnus_id == ada.id)).one()
    assert (letter.state, letter.reason) == ("skipped", "not_cleared")
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    assert session.scalars(select(Commitment)).all() == []


@pytest.mark.parametrize("role", [Role.SCHOOL, Role.LIAISON, Role.VIEWER])
def test_a_guessed_visit_of_another_school_is_not_there(
    client: FlaskClient, session: Session, make: Make, asked: Any, login_as: Any, role: Role
) -> None:
    _ada, request, address = asked
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    promise = session.scalars(select(Commitment)).one()
    browser = login_as(make.user(role, school=make.school()))
    assert browser.get(f"/commitments/{promise.id}/visit.ics").status_code == 404
    with clock.at(make.at + timedelta(days=1)):
        answer = browser.post(f"/commitments/{promise.id}/attendance", data={"attended": "yes"})
    assert answer.status_code in {403, 404}
    assert browser.get(f"/commitments/{2**70}/visit.ics").status_code == 404
    session.expire_all()
    assert promise.state is CommitmentState.PLANNED


def test_attendance_waits_for_the_day_and_is_noted_once(
    client: FlaskClient, session: Session, make: Make, asked: Any, login_as: Any
) -> None:
    ada, request, address = asked
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    promise = session.scalars(select(Commitment)).one()
    browser = login_as(make.user())
    form = {"attended": "no", "hours": "", "pupils": "", "feedback": ""}
    assert browser.post(f"/commitments/{promise.id}/attendance", data=form).status_code == 409
    promise.starts_at, promise.ends_at = slot(make.at, -1).starts_at, slot(make.at, -1).ends_at
    session.commit()
    for bad in ({"hours": "lots"}, {"pupils": "-4"}, {"hours": "99"}):
        answer = browser.post(
            f"/commitments/{promise.id}/attendance", data={**form, "attended": "yes", **bad}
        )
        assert answer.status_code == 422
    assert browser.post(f"/commitments/{promise.id}/attendance", data=form).status_code == 303
    assert browser.post(f"/commitments/{promise.id}/attendance", data=form).status_code == 409
    session.expire_all()
    assert promise.state is CommitmentState.MISSED
    assert (request.state, request.reason) == (RequestState.UNFILLED, "missed")
    deeds = session.scalars(select(Interaction.kind).where(Interaction.alumnus_id == ada.id)).all()
    assert list(deeds) == ["ask_answered"]


def test_contact_data_is_shown_to_the_school_only_while_a_yes_stands(
    client: FlaskClient, session: Session, make: Make, asked: Any, login_as: Any
) -> None:
    ada, request, address = asked
    teacher = make.user(Role.SCHOOL, school=session.get_one(School, request.school_id))
    mail = session.scalars(
        select(ContactPoint.value).where(ContactPoint.alumnus_id == ada.id)
    ).one()
    login_as(teacher)
    assert mail not in client.get(f"/people/{ada.id}").text
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    assert mail in client.get(f"/people/{ada.id}").text
    assert mail in client.get(f"/requests/{request.id}").text
    press(client, address, "no")
    assert mail not in client.get(f"/people/{ada.id}").text
    assert mail not in client.get(f"/requests/{request.id}").text


def test_a_person_puts_an_ask_off_to_a_month_or_limits_how_often(
    client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    ada = make_speaker(make, "Ada", school)
    ask(make, make_request(make, school), ada)
    session.commit()
    address = f"/ask/{token(session, ada, make.at)}"
    page = client.get(f"{address}?lang=es").text
    assert "Como máximo una vez al año" in page
    assert "later:2026-11" in page
    assert "later:2026-10" not in page
    assert press(client, address, "often:1").status_code == 200
    assert press(client, address, "later:2027-02").status_code == 200
    one = ask_of(session, ada)
    assert (one.note, str(one.rest_until)) == ("later", "2027-02-01")
    need = need_of(session, make_request(make, school, days=(300,)), make.at + timedelta(days=200))
    assert why_not(session, need, ada.id) == ["asked_often"]
    press(client, address, "often:usual")
    assert why_not(session, need, ada.id) == []
