"""The page behind an ask: looked at, answered, changed, too late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Interest
from crm.core import clock
from crm.interactions.models import Interaction
from crm.mail.models import Message
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.service import expire_holds
from segments.clearance.models import Clearance
from segments.requests.models import RequestState
from segments.requests.queries import dates_of
from tests.factories import Make
from tests.segments.story import (
    answers_on,
    ask,
    ask_of,
    make_request,
    make_speaker,
    press,
    token,
)


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
