"""When a message goes: budget, night, language, and what stops a delivery and what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import extensions
from crm.mail import reasons
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageClass, MessageState, SendAttempt
from crm.mail.outbox import Attachment, drop_queued, message_id, queue_many
from crm.mail.reconcile import reconcile
from tests.crm.mail.keeping import WHY_NOT, kept
from tests.crm.mail.outbox import make_content, queue, state
from tests.factories import Make


def test_the_contact_budget_lets_the_more_important_go_first_and_the_rest_wait(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    low, high, middle = (
        queue(
            session, person, make_content(session, now, key=f"c{n}"), now, key=f"k{n}",
            priority=priority, origin=f"campaign:c{n}",
        )
        for n, priority in enumerate((10, 90, 50))
    )  # fmt: skip
    deliver(app, at=now)
    assert state(session, high)[0] is MessageState.ACCEPTED
    assert state(session, middle)[0] is MessageState.ACCEPTED
    waits = session.get_one(Message, low, populate_existing=True)
    assert (waits.state, waits.not_before) == (MessageState.QUEUED, now + timedelta(days=7))
    assert deliver(app, at=now + timedelta(days=7)).accepted == 1


def test_night_holds_news_back_and_lets_a_code_pass(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    night = now.replace(hour=3)
    person, version = make.alumnus(), make_content(session, now)
    news = queue(session, person, version, night)
    code = queue(session, person, version, night, key="code", message_class=MessageClass.IMMEDIATE)
    deliver(app, at=night)
    assert state(session, code)[0] is MessageState.ACCEPTED
    waits = session.get_one(Message, news, populate_existing=True)
    assert (waits.state, waits.not_before) == (MessageState.QUEUED, now.replace(hour=12))
    deliver(app, at=now.replace(hour=12))
    assert state(session, news)[0] is MessageState.ACCEPTED


def test_what_comes_too_late_is_skipped_as_expired(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now)
    sent = queue(session, make.alumnus(), version, now, expires_at=now + timedelta(hours=1))
    deliver(app, at=now + timedelta(hours=2))
    assert state(session, sent) == (MessageState.SKIPPED, reasons.EXPIRED)


def test_each_reads_it_in_their_language_else_in_english_else_not_at_all(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    both = make_content(session, now, languages=("en", "es"))
    spanish = make_content(session, now, key="solo", languages=("es",))
    reader, other = make.alumnus(language="es"), make.alumnus(language="ko")
    first, second = queue(session, reader, both, now), queue(session, other, both, now)
    third = queue(session, other, spanish, now, origin="campaign:solo")
    deliver(app, at=now)
    languages = [session.get_one(Message, i).language for i in (first, second)]
    assert languages == ["es", "en"]
    assert state(session, third) == (MessageState.SKIPPED, reasons.NO_LANGUAGE)


def test_an_upper_package_may_hold_a_message_back(
    app: Flask, session: Session, make: Make, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = make_content(session, now)
    held = queue(session, make.alumnus(), version, now, origin="gate:7")
    free = queue(session, make.alumnus(), version, now, origin="other:7")

    def gate(session: Session, ids: Any, at: datetime) -> dict[UUID, str]:
        return dict.fromkeys(ids, reasons.RELEASED)

    monkeypatch.setitem(extensions(app).send_gates, "gate:", gate)
    deliver(app, at=now)
    assert state(session, held) == (MessageState.SKIPPED, reasons.RELEASED)
    assert state(session, free) == (MessageState.ACCEPTED, None)


def test_mail_to_staff_needs_no_alumnus_and_offers_no_way_out(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now, body="Your code is {{ code }}.", own_fields=["code"])
    files = [Attachment("talk.ics", "text/calendar", b"BEGIN:VCALENDAR")]
    queue(
        session, None, version, now, to_address="Staff@District.example", topic_key=None,
        message_class=MessageClass.IMMEDIATE, merge={"code": "<123>"}, attachments=files,
    )  # fmt: skip
    assert deliver(app, at=now).accepted == 1
    (mail,) = kept(session)
    assert "Your code is <123>." in mail.text
    assert "&lt;123&gt;" in mail.html
    assert mail.item.headers == {}
    assert "No more mail" not in mail.html
    assert [(f.name, f.body) for f in mail.attachments] == [("talk.ics", b"BEGIN:VCALENDAR")]


def test_every_audience_adds_up(app: Flask, session: Session, make: Make, now: datetime) -> None:
    version = make_content(session, now)
    people = [make.alumnus(**values) for values, _ in WHY_NOT]
    people += [make.alumnus(email="twins@mail.example") for _ in range(2)]
    people += [make.alumnus() for _ in range(4)]
    people.append(make.alumnus(time_zone="Asia/Tokyo"))
    rows = select(
        Alumnus.id.label("alumnus_id"),
        ("campaign:sum:" + Alumnus.name_key + literal("-")).concat(Alumnus.id).label("key"),
    ).where(Alumnus.id.in_([person.id for person in people]))
    audience = queue_many(
        session, rows, message_class=MessageClass.MARKETING, at=now, origin="campaign:sum",
        version_id=version, topic_key="news",
    )  # fmt: skip
    assert audience == len(people)
    report = deliver(app, at=now)
    told = Counter(session.scalars(select(Message.state).where(Message.origin == "campaign:sum")))
    assert report.accepted == told[MessageState.ACCEPTED] == 5
    # Whoever is under 18 is left out as it is queued, the others as it would go.
    assert report.skipped + 1 == told[MessageState.SKIPPED] == len(WHY_NOT) + 1
    assert report.waiting == told[MessageState.QUEUED] == 1
    assert sum(told.values()) == audience
    assert drop_queued(session, origin="campaign:sum", reason=reasons.STOPPED, at=now) == 1


def test_a_control_group_is_counted_and_not_sent(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now)
    rows = select(
        literal(make.alumnus().id).label("alumnus_id"), literal("k").label("key"),
        literal(reasons.CONTROL_GROUP).label("skip_reason"),
    )  # fmt: skip
    queue_many(
        session, rows, message_class=MessageClass.MARKETING, at=now, origin="c", version_id=version
    )
    assert deliver(app, at=now).accepted == 0
    assert state(session, message_id("k")) == (MessageState.SKIPPED, reasons.CONTROL_GROUP)


def test_a_letter_that_cannot_be_made_waits_and_stops_nobody_else(
    app: Flask, session: Session, make: Make, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_content(session, now, key="broken", body="[x]({{ profile_link }})")
    fine = make_content(session, now, key="fine", body="Nothing special.")
    first = queue(session, make.alumnus(), broken, now, priority=90)
    second = queue(session, make.alumnus(), fine, now, origin="campaign:fine")
    fields = extensions(app).merge_fields

    def explode(*_: Any) -> list[str]:
        raise RuntimeError("no links today")

    monkeypatch.setitem(fields, "profile_link", replace(fields["profile_link"], values=explode))
    report = deliver(app, at=now)
    assert report.accepted == 1
    assert state(session, first)[0] is MessageState.QUEUED
    assert state(session, second)[0] is MessageState.ACCEPTED


def test_a_claim_left_by_a_dead_deliverer_is_sent_once_the_mailbox_being_exact(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    sent = queue(session, make.alumnus(), make_content(session, now), now)
    values = {"state": MessageState.CLAIMED, "claimed_at": now, "attempt": 1, "batch_id": "dead"}
    for name, value in values.items():
        setattr(session.get_one(Message, sent), name, value)
    session.flush()
    assert reconcile(app, at=now + timedelta(minutes=5)).requeued == 0
    assert reconcile(app, at=now + timedelta(minutes=16)).requeued == 1
    deliver(app, at=now + timedelta(minutes=17))
    assert len(kept(session)) == 1
    attempts = session.scalars(select(SendAttempt.attempt)).all()
    assert attempts == [2]


def test_the_command_tells_what_it_did(
    runner: Any, session: Session, make: Make, now: datetime
) -> None:
    queue(session, make.alumnus(), make_content(session, now), now)
    session.commit()
    result = runner.invoke(args=["mail", "deliver", "--json"])
    assert result.exit_code == 0
    assert (
        '{"accepted": 1, "uncertain": 0, "failed": 0, "skipped": 0, "waiting": 0}' in result.output
    )
