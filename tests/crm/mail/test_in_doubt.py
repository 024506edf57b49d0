"""Mail of which nobody ever told: never sent again by itself, and shown with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core import clock
from crm.core.extend import extensions
from crm.core.viewer import Role, Viewer
from crm.mail import events
from crm.mail.history import fate
from crm.mail.models import Message, MessageState
from crm.mail.outcomes import CERTAIN
from crm.mail.reconcile import reconcile
from crm.mail.sendgrid import SendGridTransport
from crm.mail.smtp import SmtpTransport
from crm.mail.webhook import Event
from tests.crm.mail.handing_over import by_sendgrid, by_smtp, campaign, settle
from tests.crm.mail.sinks import Provider, mail_server, provider
from tests.factories import Make

LONG_AGO = timedelta(hours=48)


@pytest.fixture
def lost(app: Flask, session: Session, make: Make, now: datetime) -> tuple[Message, Provider]:
    """A message of two days ago that got no answer, and the provider that keeps silent."""
    with provider() as fake:
        (identity,) = campaign(session, make, now - LONG_AGO, 1)
        fake.plan = ["lost"]
        by_sendgrid(app, fake, now - LONG_AGO)
        settle(app, fake, now - LONG_AGO + timedelta(minutes=16))
        message = session.get_one(Message, identity)
        assert (message.state, message.reason) == (MessageState.UNCERTAIN, None)
        return message, fake


def look(app: Flask, session: Session, at: datetime) -> int:
    """One run of the clock's knock, with a provider that nobody can reach any more."""
    gone = SendGridTransport("SG.test", "http://127.0.0.1:9", timeout=1)
    report = reconcile(app, at=at, transport=gone)
    session.expire_all()
    assert report.requeued == 0
    return report.unsettled


def todo(app: Flask, session: Session, at: datetime) -> list[int]:
    viewer = Viewer(user_id=None, role=Role.COORDINATOR)
    with app.test_request_context():
        lines = [line for f in extensions(app).todo for line in f(session, viewer, at)]
    return [line.count for line in lines if "may or may not" in str(line.label)]


def test_after_a_day_without_a_word_it_waits_for_a_person_with_a_reason(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime
) -> None:
    message = lost[0]
    assert look(app, session, now - LONG_AGO + timedelta(hours=24)) == 0
    assert message.reason is None
    assert todo(app, session, now) == [0]
    assert [look(app, session, now), look(app, session, now)] == [1, 0]
    assert (message.state, message.reason) == (MessageState.UNCERTAIN, "unsettled")
    assert todo(app, session, now) == [1]
    assert "nobody ever said whether it went" in fate(message)


def test_it_is_never_sent_again_by_itself_however_long_it_takes(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime
) -> None:
    message = lost[0]
    with provider() as fake:
        for days in (0, 1, 30, 400):
            at = now + timedelta(days=days)
            look(app, session, at)
            by_sendgrid(app, fake, at)
        assert fake.requests == []
    assert message.state is MessageState.UNCERTAIN


def test_one_that_was_being_taken_back_too_late_can_be_decided_as_well(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime,
    coordinator: FlaskClient,
) -> None:  # fmt: skip
    message = lost[0]
    message.state = MessageState.CANCELLING
    session.commit()
    assert "Send it again" not in coordinator.get("/mail-in-doubt").text
    data = {"message": str(message.id), "how": "again"}
    assert coordinator.post("/mail-in-doubt", data=data).status_code == 404
    look(app, session, now)
    page = coordinator.get("/mail-in-doubt").text
    assert "It was being taken back, and nobody said whether in time." in page
    assert coordinator.post("/mail-in-doubt", data=data).status_code == 303
    session.expire_all()
    assert (message.state, message.reason) == (MessageState.QUEUED, None)
    with provider() as fake:
        assert by_sendgrid(app, fake, now).accepted == 1
        assert fake.sent() == [str(message.id)]


@pytest.mark.parametrize("how", ["sent", "again"])
def test_whoever_decides_is_written_down_and_the_reason_is_gone(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime,
    coordinator: FlaskClient, how: str,
) -> None:  # fmt: skip
    message = lost[0]
    look(app, session, now)
    coordinator.post("/mail-in-doubt", data={"message": str(message.id), "how": how})
    session.expire_all()
    state = MessageState.ACCEPTED if how == "sent" else MessageState.QUEUED
    assert (message.state, message.reason) == (state, None)
    words = {"sent": "took mail in doubt as sent", "again": "let mail in doubt go again"}
    assert words[how] in coordinator.get("/audit").text
    assert todo(app, session, now) == [0]


def test_the_page_says_what_speaks_for_either(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime, make: Make,
    coordinator: FlaskClient,
) -> None:  # fmt: skip
    message = lost[0]
    assert "nothing needs to be done yet" in coordinator.get("/mail-in-doubt").text
    look(app, session, now)
    assert "Look for its address" in coordinator.get("/mail-in-doubt").text
    with provider() as fake:
        fake.batches = 10  # An event of the same batch would settle the first message too.
        identity = campaign(session, make, now, 2)[1]
        by_sendgrid(app, fake, now)
    later = session.get_one(Message, identity)
    _tell(session, later, "delivered", now)
    assert "most likely it did not go" in coordinator.get("/mail-in-doubt").text
    later.claimed_at = (message.claimed_at or now) - timedelta(hours=1)
    session.commit()
    assert "check that the provider" in coordinator.get("/mail-in-doubt").text


def _tell(session: Session, message: Message, kind: str, at: datetime) -> None:
    event = Event(
        kind=kind, at=at, address=message.to_address or "", message_id=message.id,
        attempt=message.attempt, machine=False, reason="", payload={"event": kind},
    )  # fmt: skip
    events.take_in(session, [event], at=at)
    session.commit()
    session.expire_all()


@pytest.mark.parametrize("kind", sorted(CERTAIN - {"open"} | {"processed"}))
def test_a_word_that_comes_late_still_settles_it(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime, kind: str
) -> None:
    message = lost[0]
    look(app, session, now)
    _tell(session, message, kind, now)
    assert (message.state, message.reason) == (MessageState.ACCEPTED, None)


def test_a_mail_server_tells_nothing_so_its_doubts_are_a_persons_at_once(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    with mail_server() as sink:
        campaign(session, make, now, 1)
        sink.plan = ["cut data"]
        by_smtp(app, sink, now)
        for minutes, reason in ((5, None), (20, "unsettled")):
            at = now + timedelta(minutes=minutes)
            reconcile(app, at=at, transport=SmtpTransport(sink.url))
            session.expire_all()
            assert session.scalars(select(Message.reason)).one() == reason
        by_smtp(app, sink, now + timedelta(days=3))
        assert len(sink.mails) <= 1


def test_only_those_who_look_after_mail_decide(
    app: Flask, session: Session, lost: tuple[Message, Provider], now: datetime, make: Make,
    login_as: Callable[[User], FlaskClient],
) -> None:  # fmt: skip
    look(app, session, now)
    with clock.at(now):
        visitor = login_as(make.user(Role.VIEWER))
        data = {"message": str(lost[0].id), "how": "again"}
        assert visitor.post("/mail-in-doubt", data=data).status_code == 403
