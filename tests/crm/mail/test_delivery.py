"""Who gets a message and at which address, and the reasons of those who do not."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import ContactOwner, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource, SuppressionReason
from crm.mail import reasons
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageClass, MessageState
from crm.mail.outbox import message_id, queue_many
from tests.crm.mail.keeping import WHY_NOT, kept
from tests.crm.mail.outbox import make_content, queue, state
from tests.factories import Make


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
