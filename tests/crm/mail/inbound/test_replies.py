"""Mail that people write back: whose it is, what a machine wrote, what the one word stop does."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactOwner
from crm.consent.models import ConsentEntry, ConsentState
from crm.consent.queries import choices_of
from crm.interactions.models import Mode
from crm.mail import events, webhook
from crm.mail.models import Message
from tests.crm.mail.events.posting import event
from tests.crm.mail.inbound.posting import ADDRESS, Post, answers, mail, replies
from tests.factories import Make


def test_a_reply_is_recorded_for_whom_the_message_went_to_and_with_its_origin(
    post: Post, session: Session, sent: Message, person: Alumnus, now: datetime
) -> None:
    assert post(mail(answers(sent), sender="another@address.example")).status_code == 204
    (reply,) = replies(session)
    assert (reply.alumnus_id, reply.origin) == (person.id, "campaign:spring")
    assert (reply.mode, reply.machine, reply.occurred_at) == (Mode.COMMUNICATION, False, now)
    assert reply.note == ""


def test_an_older_mail_of_the_thread_finds_the_person_too(
    post: Post, session: Session, sent: Message
) -> None:
    thread = f"References: <a@b> <{sent.id}.1@district.example>\n <between@mail.example>"
    assert post(mail("In-Reply-To: <between@mail.example>", thread)).status_code == 204
    assert replies(session)[0].origin == "campaign:spring"


def test_a_mail_without_a_thread_is_found_by_its_sender(
    post: Post, session: Session, person: Alumnus
) -> None:
    assert post(mail(sender="ZOE@mail.example")).status_code == 204
    assert [(r.alumnus_id, r.origin) for r in replies(session)] == [(person.id, "")]


def test_the_providers_own_id_of_our_mail_names_its_origin(
    post: Post, session: Session, sent: Message, now: datetime
) -> None:
    told = [event("processed", sent, now, **{"smtp-id": "<abc@geopod.example>"})]
    events.take_in(session, webhook.parse(json.dumps(told).encode()), at=now)
    assert post(mail("In-Reply-To: <abc@geopod.example>")).status_code == 204
    assert replies(session)[0].origin == "campaign:spring"


def test_the_same_mail_twice_is_one_reply(post: Post, session: Session, sent: Message) -> None:
    for text in ("Yes", "Yes", "Yes, with another footer"):
        assert post(mail(answers(sent), text=text)).status_code == 204
    assert post(mail(answers(sent), "Message-ID: <two@mail.example>")).status_code == 204
    assert len(replies(session)) == 2


def test_a_mail_without_an_id_is_known_again_by_all_that_it_says(
    post: Post, session: Session, person: Alumnus
) -> None:
    for text in ("One", "One", "Two"):
        assert post(mail("Message-ID:", text=text)).status_code == 204
    assert len(replies(session)) == 2


AUTOMATIC = [
    "Auto-Submitted: auto-replied", "auto-submitted: Auto-Generated; owner=x", "Precedence: bulk",
    "Precedence: auto_reply", "X-Autoreply: yes", "X-Auto-Response-Suppress: All",
    "X-Autorespond: Out", "Return-Path: <>", "List-Id: <school.example>",
    "Content-Type: multipart/report; report-type=delivery-status",
]  # fmt: skip


@pytest.mark.parametrize("line", AUTOMATIC)
def test_what_a_machine_answers_is_no_reply_and_stops_nothing(
    post: Post, session: Session, sent: Message, person: Alumnus, line: str
) -> None:
    assert post(mail(answers(sent), line)).status_code == 204
    assert post(mail(answers(sent), line, text="STOP")).status_code == 204
    assert replies(session) == []
    assert set(choices_of(session, person.id).values()) != {False}


@pytest.mark.parametrize(
    "fields",
    [
        {"envelope": '{"to":["a@b.example"],"from":""}'},
        {"headers": f"From: {ADDRESS}\nSubject: Automatic reply: News\nMessage-ID: <x@y>"},
        {"headers": f"From: {ADDRESS}\nSubject: Fuera de la oficina\nMessage-ID: <x@y>"},
        {"headers": "From: Mail Delivery <MAILER-DAEMON@mail.example>\nMessage-ID: <x@y>"},
    ],
)
def test_a_machine_that_does_not_say_so_is_known_all_the_same(
    post: Post, session: Session, make: Make, person: Alumnus, fields: dict[str, str]
) -> None:
    make.alumnus(email="mailer-daemon@mail.example")
    assert post({**mail(), **fields}).status_code == 204
    assert replies(session) == []


def test_auto_submitted_no_is_a_person(post: Post, session: Session, sent: Message) -> None:
    assert post(mail(answers(sent), "Auto-Submitted: no")).status_code == 204
    assert len(replies(session)) == 1


STOPS = [
    {"text": "STOP"}, {"text": "  Unsubscribe.\r\n"}, {"text": "Darme de baja"},
    {"text": "stop\n\nOn Mon, Sep 14, 2026 at 9:00 AM District <a@b> wrote:\n> Come and help"},
    {"text": "Baja\n\nEl lun, 14 sep 2026, Distrito <a@b> escribió:\n> Ven"},
    {"text": "Stop!\n\nSent from my iPhone"}, {"text": "stop\n-- \nZoë Nuñez"},
    {"text": "", "html": "<div dir=ltr>STOP<br></div><div class='gmail_quote'>Come</div>"},
    {"text": "", "html": "", "subject": "Unsubscribe"},
]  # fmt: skip


@pytest.mark.parametrize("fields", STOPS)
def test_the_one_word_stop_ends_all_mail_and_is_no_engagement(
    post: Post, session: Session, sent: Message, person: Alumnus, fields: dict[str, str]
) -> None:
    for _ in range(2):
        assert post({**mail(answers(sent)), **fields}).status_code == 204
    assert set(choices_of(session, person.id).values()) == {False}
    (entry,) = session.scalars(select(ConsentEntry).where(ConsentEntry.alumnus_id == person.id))
    assert (entry.state, entry.topic_key) == (ConsentState.WITHDRAWN, None)
    assert entry.wording
    assert replies(session) == []


@pytest.mark.parametrize(
    "text", ["Do not stop, I like it", "Stop by my office on Friday", "How do I unsubscribe?", ""]
)
def test_more_than_the_word_is_a_reply(
    post: Post, session: Session, sent: Message, person: Alumnus, text: str
) -> None:
    assert post(mail(answers(sent), text=text)).status_code == 204
    assert set(choices_of(session, person.id).values()) != {False}
    assert len(replies(session)) == 1


def test_stop_from_an_address_that_several_share_ends_the_mail_of_each(
    post: Post, session: Session, make: Make, person: Alumnus
) -> None:
    twin = make.alumnus(email=ADDRESS)
    assert post(mail(text="Stop")).status_code == 204
    for one in (person, twin):
        assert set(choices_of(session, one.id).values()) == {False}


def test_nobody_is_credited_with_a_reply_that_several_could_have_written(
    post: Post, session: Session, make: Make, person: Alumnus
) -> None:
    make.alumnus(email=ADDRESS)
    assert post(mail()).status_code == 204
    assert post(mail(sender="stranger@mail.example")).status_code == 204
    assert replies(session) == []


def test_a_parent_who_writes_is_not_the_alumnus(post: Post, session: Session, make: Make) -> None:
    child = make.alumnus()
    make.email(child, "mother@mail.example", owner=ContactOwner.PARENT, preferred=False)
    session.commit()
    assert post(mail(sender="mother@mail.example")).status_code == 204
    assert replies(session) == []


def test_a_sender_whom_their_own_domain_disowns_is_not_believed(
    post: Post, session: Session, person: Alumnus
) -> None:
    forged = mail(text="STOP", SPF="fail", dkim="{@elsewhere.example : fail}")
    assert post(forged).status_code == 204
    assert post(mail(SPF="softfail")).status_code == 204
    assert replies(session) == []
    assert set(choices_of(session, person.id).values()) != {False}
