"""Why we may or may not write to somebody: what is said is what the hand-over then does."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.topic_pauses import pause_topic
from crm.core.viewer import Role
from crm.mail import reasons
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageClass, MessageState
from crm.mail.whether import answers
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make

BORN = (
    None, None, None, date(1931, 2, 28), date(2000, 12, 31), date(2001, 1, 1), date(2008, 9, 15),
    date(2008, 9, 16), date(2010, 5, 1),
)  # fmt: skip
CLASSES = (None, 1962, 2000, 2001, 2002, 2015, 2025, 2026, 2027)


def somebody(session: Session, make: Make, now: datetime, dice: random.Random) -> Alumnus:
    """A person of whom any of the things that decide may be so."""

    def perhaps() -> bool:
        return dice.random() < 0.15

    person = make.alumnus(
        deceased=perhaps(), ferpa_block=perhaps(), do_not_contact=perhaps(),
        birth_date=dice.choice(BORN), class_year=dice.choice(CLASSES),
        graduated_on=dice.choice([None, None, None, date(1962, 6, 1), date(2026, 6, 1)]),
        paused_until=dice.choice([None, None, now.date() + timedelta(3)]),
        time_zone=dice.choice([None, "Asia/Tokyo"]), email=None if perhaps() else "auto",
    )  # fmt: skip
    point = session.scalars(
        select(ContactPoint).where(ContactPoint.alumnus_id == person.id)
    ).first()
    if perhaps():
        said: dict[str, Any] = {"source": ConsentSource.LINK, "at": now}
        consent.withdraw(session, person.id, topic_key=dice.choice(["news", None]), **said)
    if perhaps():
        until = now.date() + timedelta(dice.choice([-3, 3]))
        pause_topic(session, person.id, topic_key="news", until=until, source=ConsentSource.LINK,
                    at=now)  # fmt: skip
    if point and perhaps():
        point.status = ContactStatus.BOUNCED
    if point and perhaps():
        reason = dice.choice(list(SuppressionReason))
        consent.suppress(session, [point.key], reason=reason, source="t", at=now)
    return person


def test_the_answer_is_what_the_hand_over_then_does(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    dice, version = random.Random(20260915), make_content(session, now)
    people = [somebody(session, make, now, dice) for _ in range(120)]
    session.flush()
    said = {
        person.id: next(
            a for a in answers(session, person.id, at=now)
            if a.topic and a.topic.key == "news" and a.message_class is MessageClass.MARKETING
        )
        for person in people
    }  # fmt: skip
    for person in people:
        queue(session, person, version, now, origin="journey:why/one")
    deliver(app, at=now)
    verdicts = {MessageState.ACCEPTED: "go", MessageState.QUEUED: "wait"}
    seen = set()
    for message in session.scalars(select(Message)):
        answer = said[message.alumnus_id or 0]
        assert answer.verdict == verdicts.get(message.state, "skip")
        if message.reason == reasons.UNDER_AGE:
            # Looked at as it is queued already, before anything else.
            assert message.reason in answer.reasons
        else:
            assert (answer.reasons[:1] or (None,))[0] == message.reason
        if answer.until:
            assert answer.until == message.not_before
        seen.add(message.reason or answer.verdict)
    assert len(seen) > 8, seen


def test_every_reason_is_named_and_not_only_the_first(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(do_not_contact=True, paused_until=date(2027, 1, 1), email=None)
    consent.withdraw(session, person.id, topic_key="news", source=ConsentSource.LINK, at=now)
    news = answers(session, person.id, at=now)[0]
    assert news.reasons == (
        reasons.DO_NOT_CONTACT, reasons.PAUSED, reasons.CONSENT_WITHDRAWN, reasons.NO_ADDRESS,
    )  # fmt: skip


def test_the_page_shows_the_entry_that_decided_and_what_would_change_it(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="zoe@mail.example")
    consent.withdraw(
        session, person.id, topic_key="news", source=ConsentSource.IMPORT, at=now,
        reference="import:7", wording="line 12: Opt Out = Y",
    )  # fmt: skip
    page = coordinator.get(f"/people/{person.id}").text
    assert "line 12: Opt Out = Y" in page
    assert "a file said so" in page
    assert "Only they can change that" in page
    assert "We would write to zoe@mail.example" in page
    spanish = coordinator.get(f"/people/{person.id}?lang=es").text
    assert "¿Por qué podemos, o no podemos, escribir a esta persona?" in spanish


def test_a_school_learns_nothing_of_it(make: Make, login_as: Any) -> None:
    school = make.school()
    person = make.alumnus(school=school, email="zoe@mail.example")
    browser = login_as(make.user(Role.SCHOOL, school=school))
    assert "zoe@" not in browser.get(f"/people/{person.id}").text
    assert browser.get(f"/people/{person.id}/consent").status_code == 403


def test_the_command_tells_the_same(runner: Any, make: Make) -> None:
    person = make.alumnus(birth_date=date(2010, 1, 1))
    done = runner.invoke(args=["people", "why-mail", "--id", str(person.id), "--json"])
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["id"] == person.id
    assert {a["class"] for a in told["answers"]} == {"marketing", "ask", "immediate"}
    first = told["answers"][0]
    assert (first["verdict"], first["reasons"][0]["reason"]) == ("skip", "under_age")
    assert "2028" in first["reasons"][0]["facts"]
