"""Answering an ask by its mailed link: two taps, second thoughts, and what a scanner cannot do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import ContactPoint, Interest
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.interactions.models import Interaction
from crm.mail.delivery import deliver
from crm.mail.models import Message
from crm.schools.models import School
from segments.asks.eligibility import need_of, why_not
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.service import expire_holds
from segments.clearance.models import Clearance
from segments.clearance.service import revoke_clearance
from segments.requests.models import RequestState
from segments.requests.queries import dates_of
from segments.requests.service import cancel
from tests.factories import Make
from tests.segments.story import (
    answers_on,
    ask,
    ask_of,
    contents_to,
    make_request,
    make_speaker,
    press,
    slot,
    token,
)


@pytest.fixture
def asked(make: Make, session: Session) -> Any:
    """Ada, asked for a talk on one of two dates, and the address of her link."""
    school = make.school()
    ada = make_speaker(make, "Ada", school)
    request = make_request(make, school, days=(20, 25))
    ask(make, request, ada)
    session.commit()
    return ada, request, f"/ask/{token(session, ada, make.at)}"


def everything(session: Session) -> list[Any]:
    """What any answer would change."""
    session.expire_all()
    return [
        session.execute(select(Ask.id, Ask.state, Ask.answered_at)).all(),
        session.execute(select(Commitment.id, Commitment.state)).all(),
        session.scalar(select(func.count(Interaction.id))),
        session.scalar(select(func.count(Message.id))),
        session.scalar(select(func.count(Interest.id))),
    ]


def test_a_scanner_that_fetches_every_address_changes_nothing(
    client: FlaskClient, session: Session, asked: Any
) -> None:
    _ada, _request, address = asked
    before = everything(session)
    for _ in range(3):
        page = client.get(address)
        assert page.status_code == 200
        assert page.headers["Cache-Control"] == "no-store"
        client.head(address)
        for answer in answers_on(page.text):
            client.get(f"{address}?answer={answer}")
        client.get(f"{address}/visit.ics")
        client.options(address)
    assert everything(session) == before


def test_the_page_offers_a_yes_for_each_date_and_every_kind_of_no(
    client: FlaskClient, session: Session, asked: Any
) -> None:
    _ada, request, address = asked
    ids = [choice.id for choice in dates_of(session, request.id)]
    offered = answers_on(client.get(address).text)
    assert offered[:2] == [f"yes:{ids[0]}", f"yes:{ids[1]}"]
    assert {"no", "never", "later:spring", "later:autumn"} <= set(offered)


def test_a_date_without_clearance_is_not_offered_nor_accepted(
    client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, request, address = asked
    first, second = dates_of(session, request.id)
    clearance = session.scalars(select(Clearance).where(Clearance.alumnus_id == ada.id)).one()
    clearance.expires_on = (make.at + timedelta(days=22)).date()
    session.commit()
    offered = answers_on(client.get(address).text)
    assert f"yes:{first.id}" in offered
    assert f"yes:{second.id}" not in offered
    assert "does not cover this day" in press(client, address, f"yes:{second.id}").text
    assert session.scalars(select(Commitment)).all() == []


def test_a_yes_may_be_moved_and_taken_back_until_the_date(
    client: FlaskClient, session: Session, make: Make, asked: Any, login_as: Any
) -> None:
    ada, request, address = asked
    first, second = dates_of(session, request.id)
    press(client, address, f"yes:{first.id}")
    press(client, address, f"yes:{first.id}")
    promise = session.scalars(select(Commitment)).one()
    press(client, address, f"yes:{second.id}")
    session.expire_all()
    assert (promise.starts_at, promise.state) == (second.starts_at, CommitmentState.PLANNED)
    press(client, address, "no")
    session.expire_all()
    assert promise.state is CommitmentState.CANCELLED
    assert request.state is RequestState.ASKING
    assert ask_of(session, ada).state is AskState.DECLINED
    assert "Changed your mind?" in client.get(address).text
    with clock.at(make.at + timedelta(minutes=5)):
        press(client, address, f"yes:{first.id}")
    session.expire_all()
    assert promise.state is CommitmentState.PLANNED
    assert request.state is RequestState.FILLED


def test_saying_later_or_never_is_remembered(
    client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, _request, address = asked
    press(client, address, "later:spring")
    found = ask_of(session, ada)
    assert (found.state, found.note, str(found.rest_until)) == (
        AskState.DECLINED, "later", "2027-03-01",
    )  # fmt: skip
    press(client, address, "never")
    assert ask_of(session, ada).note == "never"
    assert session.scalars(select(Interest).where(Interest.alumnus_id == ada.id)).all() == []


@pytest.mark.parametrize(
    "answer", ["", "yes", "yes:", "yes:x", "yes:99999999999999999999999", "yes:-1", "later:soon",
               "delete", "yes:\x00", "x" * 100_000],
)  # fmt: skip
def test_a_strange_answer_changes_nothing(
    client: FlaskClient, session: Session, asked: Any, answer: str
) -> None:
    _ada, _request, address = asked
    before = everything(session)
    assert client.post(address, data={"answer": answer}).status_code in {303, 422}
    assert everything(session) == before


def test_a_late_yes_counts_while_the_place_is_free(
    client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, request, address = asked
    late = make.at + timedelta(days=4)
    assert expire_holds(session, late) == 1
    session.commit()
    with clock.at(late):
        page = client.get(address).text
        assert "The time to answer has passed" in page
        press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    assert ask_of(session, ada).state is AskState.ACCEPTED


def test_whoever_comes_too_late_is_told_kindly_and_may_stay_in_mind(
    client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    ada, request, address = asked
    ben = make_speaker(make, "Ben")
    ask(make, request, ben)
    session.commit()
    press(client, address, f"yes:{dates_of(session, request.id)[0].id}")
    second = f"/ask/{token(session, ben, make.at)}"
    page = client.get(second).text
    assert "The place is taken" in page
    assert "yes:" not in page
    answer = press(client, second, f"yes:{dates_of(session, request.id)[0].id}")
    assert "Somebody else took the last place" in answer.text
    assert len(session.scalars(select(Commitment)).all()) == 1
    press(client, second, "keep")
    assert ask_of(session, ada).state is AskState.ACCEPTED


def test_a_link_opens_only_its_own_person_s_ask(
    client: FlaskClient, session: Session, make: Make, asked: Any
) -> None:
    _ada, _request, address = asked
    assert client.get(address[:-2] + "xx").status_code == 404
    assert client.post(address[:-2] + "xx", data={"answer": "no"}).status_code == 404
    from_profile = address.replace("/ask/", "/me/")
    assert client.get(from_profile).status_code == 404


def test_the_page_speaks_the_person_s_language(
    client: FlaskClient, session: Session, make: Make
) -> None:
    school = make.school()
    person = make_speaker(make, "Inés", school, language="es")
    ask(make, make_request(make, school), person)
    session.commit()
    page = client.get(f"/ask/{token(session, person, make.at)}").text
    assert 'lang="es"' in page
    assert "octubre" in page


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
