"""Mail handed over by the provider’s interface: batches, refusals, and what stays in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.mail.models import Message, MessageClass, MessageState, SendAttempt
from tests.crm.mail.handing_over import by_sendgrid, campaign, settle, states
from tests.crm.mail.outbox import make_content, queue
from tests.crm.mail.sinks import Provider, provider
from tests.factories import Make


@pytest.fixture
def sendgrid() -> Iterator[Provider]:
    with provider() as fake:
        yield fake
        assert fake.faults == []


def test_one_request_carries_many_each_with_their_own_words(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    ids = campaign(session, make, now, 3)
    assert by_sendgrid(app, sendgrid, now).accepted == 3
    (request,) = sendgrid.requests
    assert sorted(sendgrid.sent()) == sorted(map(str, ids))
    assert request["send_at"] == int((now + timedelta(minutes=25)).timestamp())
    assert request["tracking_settings"]["click_tracking"]["enable"] is False
    person = request["personalizations"][0]
    assert person["custom_args"]["origin"] == "campaign:spring"
    assert person["custom_args"]["attempt"] == "1"
    assert person["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = request["content"][0]["value"]
    for tag, value in person["substitutions"].items():
        text = text.replace(tag, value)
    assert "Dear P" in text
    assert "hc" not in text.split("/me/")[0]


def test_a_code_is_not_held_back(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    queue(
        session, make.alumnus(), make_content(session, now), now,
        message_class=MessageClass.IMMEDIATE,
    )  # fmt: skip
    by_sendgrid(app, sendgrid, now)
    assert "send_at" not in sendgrid.requests[0]
    assert sendgrid.batches == 0


def test_one_bad_address_is_found_and_all_others_get_theirs(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    campaign(session, make, now, 9)
    sendgrid.bad = {"p4@mail.example"}
    report = by_sendgrid(app, sendgrid, now)
    assert (report.accepted, report.failed) == (8, 1)
    assert len(set(sendgrid.sent())) == len(sendgrid.sent()) == 8


@pytest.mark.parametrize("status", [429, 401])
def test_too_many_requests_or_a_wrong_key_leave_everything_queued(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider, status: int
) -> None:
    campaign(session, make, now, 2)
    sendgrid.plan = [status]
    report = by_sendgrid(app, sendgrid, now)
    assert (report.waiting, report.failed, report.uncertain) == (2, 0, 0)
    assert by_sendgrid(app, sendgrid, now + timedelta(minutes=2)).accepted == 2


@pytest.mark.parametrize("ending", ["drop", "lost", 500, 504])
def test_a_request_without_an_answer_is_fenced_off_and_sent_once(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider, ending: object
) -> None:
    ids = campaign(session, make, now, 3)
    sendgrid.plan = [ending]
    assert by_sendgrid(app, sendgrid, now).uncertain == 3
    assert settle(app, sendgrid, now + timedelta(minutes=1)) == 0
    at = now + timedelta(minutes=11)
    assert settle(app, sendgrid, at) == 3
    assert by_sendgrid(app, sendgrid, at).accepted == 3
    assert sorted(sendgrid.sent()) == sorted(map(str, ids))


def test_once_the_batch_can_no_longer_be_cancelled_it_stays_in_doubt(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    campaign(session, make, now, 2)
    sendgrid.plan = ["lost"]
    by_sendgrid(app, sendgrid, now)
    late = now + timedelta(minutes=16)
    assert settle(app, sendgrid, late) == 0
    by_sendgrid(app, sendgrid, late)
    assert len(sendgrid.sent()) == 2
    assert states(session) == ["uncertain", "uncertain"]


def test_an_intent_to_cancel_that_a_crash_cut_off_is_carried_out(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    campaign(session, make, now, 2)
    sendgrid.plan = ["lost"]
    by_sendgrid(app, sendgrid, now)
    for message in session.scalars(select(Message)):
        message.state = MessageState.CANCELLING
    session.flush()
    at = now + timedelta(minutes=12)
    assert settle(app, sendgrid, at) == 2
    by_sendgrid(app, sendgrid, at)
    assert len(set(sendgrid.sent())) == len(sendgrid.sent()) == 2
    results = session.scalars(select(SendAttempt.result).order_by(SendAttempt.attempt)).all()
    assert results == ["cancelled", "cancelled", "handed over", "handed over"]


def test_words_too_long_for_substitutions_are_sent_in_a_letter_of_their_own(
    app: Flask, session: Session, make: Make, now: datetime, sendgrid: Provider
) -> None:
    version = make_content(session, now, body="{{ story }}", own_fields=["story"])
    long = queue(session, make.alumnus(), version, now, merge={"story": "é" * 6_000})
    short = queue(session, make.alumnus(), version, now, merge={"story": "short"})
    assert by_sendgrid(app, sendgrid, now).accepted == 2
    assert sorted(sendgrid.sent()) == sorted([str(long), str(short)])
    assert any("é" * 6_000 in r["content"][0]["value"] for r in sendgrid.requests)
