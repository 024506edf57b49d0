"""Delivery on the mailbox: who gets it, who does not and why, and that every audience adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactOwner, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource, SuppressionReason
from crm.core.extend import extensions
from crm.mail import mailbox, reasons
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem, Message, MessageClass, MessageState, SendAttempt
from crm.mail.outbox import Attachment, drop_queued, message_id, queue_many
from crm.mail.reconcile import reconcile
from tests.crm.mail.outbox import make_content, queue, state
from tests.factories import Make


def kept(session: Session) -> list[mailbox.KeptMail]:
    ids = session.scalars(select(MailboxItem.id).order_by(MailboxItem.id))
    return [mailbox.load_mail(session, n) for n in ids]


def test_a_due_message_reaches_the_persons_own_address_in_their_words(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus("Zoë", employer="Grady", email="zoe@mail.example")
    sent = queue(session, person, make_content(session, now), now)
    report = deliver(app, at=now)
    assert report.as_dict() == {
        "accepted": 1, "uncertain": 0, "failed": 0, "skipped": 0, "waiting": 0,
    }  # fmt: skip
    assert state(session, sent) == (MessageState.ACCEPTED, None)
    (mail,) = kept(session)
    assert mail.item.to_address == "zoe@mail.example"
    assert mail.subject == "News for Zoë"
    assert "works at Grady" in mail.text
    assert mail.item.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    way_out = mail.item.headers["List-Unsubscribe"]
    assert way_out.startswith("<http://localhost/unsubscribe/")
    assert way_out[1:-1] in mail.text


def test_the_same_key_is_one_message(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person, version = make.alumnus(), make_content(session, now)
    first = queue(session, person, version, now, key="once")
    rows = select(literal(person.id).label("alumnus_id"), literal("once").label("key"))
    again = queue_many(
        session, rows, message_class=MessageClass.MARKETING, at=now, origin="x", version_id=version
    )
    assert (again, first) == (0, message_id("once"))
    assert deliver(app, at=now).accepted == 1
    assert deliver(app, at=now).accepted == 0
    assert len(kept(session)) == 1


WHY_NOT: list[tuple[dict[str, Any], str]] = [
    ({"deceased": True}, reasons.DECEASED),
    ({"ferpa_block": True}, reasons.BLOCKED),
    ({"do_not_contact": True}, reasons.DO_NOT_CONTACT),
    ({"paused_until": date(2027, 1, 1)}, reasons.PAUSED),
    ({"birth_date": date(2009, 1, 1)}, reasons.UNDER_AGE),
    ({"email": None}, reasons.NO_ADDRESS),
]


@pytest.mark.parametrize(("person", "reason"), WHY_NOT)
def test_what_stands_on_a_person_is_the_reason(
    app: Flask, session: Session, make: Make, now: datetime, person: dict[str, Any], reason: str
) -> None:
    sent = queue(session, make.alumnus(**person), make_content(session, now), now)
    deliver(app, at=now)
    assert state(session, sent) == (MessageState.SKIPPED, reason)
    assert kept(session) == []


def test_a_merged_record_gets_nothing(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    stays = make.alumnus()
    gone = make.alumnus(merged_into_id=stays.id)
    sent = queue(session, gone, make_content(session, now), now)
    deliver(app, at=now)
    assert state(session, sent) == (MessageState.SKIPPED, reasons.MERGED)


def test_whoever_left_the_topic_after_it_was_queued_gets_nothing(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person, version = make.alumnus(), make_content(session, now)
    news = queue(session, person, version, now)
    giving = queue(session, person, version, now, key="giving", topic_key="giving")
    source = ConsentSource.ONE_CLICK
    consent.withdraw(session, person.id, topic_key="news", source=source, at=now)
    deliver(app, at=now)
    assert state(session, news) == (MessageState.SKIPPED, reasons.CONSENT_WITHDRAWN)
    assert state(session, giving) == (MessageState.SKIPPED, reasons.NO_CONSENT)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (SuppressionReason.UNSUBSCRIBED, reasons.SUPPRESSED),
        (SuppressionReason.COMPLAINED, reasons.SUPPRESSED),
        (SuppressionReason.BOUNCED, reasons.BOUNCED),
    ],
)
def test_a_closed_address_is_never_mailed(
    app: Flask, session: Session, make: Make, now: datetime, reason: SuppressionReason, word: str
) -> None:
    person = make.alumnus(email="Zoe@mail.example")
    consent.suppress(session, ["zoe@MAIL.example"], reason=reason, source="t", at=now)
    sent = queue(session, person, make_content(session, now), now)
    deliver(app, at=now)
    assert state(session, sent) == (MessageState.SKIPPED, word)


def address_used(app: Flask, session: Session, sent: UUID, at: datetime) -> str | None:
    deliver(app, at=at)
    return session.scalar(select(Message.to_address).where(Message.id == sent))


def test_a_parents_address_is_never_used_and_the_schools_only_for_want_of_another(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now)
    first, second = make.alumnus(email=None), make.alumnus(email="own@mail.example")
    for person in (first, second):
        for owner in (ContactOwner.PARENT, ContactOwner.SCHOOL):
            address = f"{owner.value}{person.id}@mail.example"
            make.email(person, address, owner=owner, preferred=False)
    sent = [queue(session, person, version, now) for person in (first, second)]
    assert address_used(app, session, sent[0], now) == f"school{first.id}@mail.example"
    assert address_used(app, session, sent[1], now) == "own@mail.example"


def test_an_address_that_bounced_gives_way_to_another_own_one(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now)
    person, alone = make.alumnus(email=None), make.alumnus(email=None)
    make.email(person, "old@mail.example", status=ContactStatus.BOUNCED)
    make.email(person, "new@mail.example", preferred=False)
    make.email(alone, "gone@mail.example", status=ContactStatus.BOUNCED)
    sent, lost = (queue(session, p, version, now) for p in (person, alone))
    assert address_used(app, session, sent, now) == "new@mail.example"
    assert state(session, lost) == (MessageState.SKIPPED, reasons.BOUNCED)


@pytest.mark.parametrize("batch", [1, 1_000])
def test_two_who_share_an_address_get_a_campaign_once(
    app: Flask, session: Session, make: Make, now: datetime, batch: int
) -> None:
    version = make_content(session, now)
    people = [make.alumnus(email="family@mail.example") for _ in range(2)]
    ids = [queue(session, person, version, now) for person in people]
    deliver(app, at=now, batch=batch)
    told = {state(session, identity) for identity in ids}
    assert told == {
        (MessageState.ACCEPTED, None), (MessageState.SKIPPED, reasons.DUPLICATE_ADDRESS),
    }  # fmt: skip


def test_two_who_share_an_address_each_get_a_letter_of_their_own_journey(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now)
    for person in [make.alumnus(email="family@mail.example") for _ in range(2)]:
        queue(session, person, version, now, origin="journey:welcome/hello")
    assert deliver(app, at=now).accepted == 2


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
