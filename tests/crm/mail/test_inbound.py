"""Mail that comes back: who may bring it, whose reply it is, and that machines never count."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse, encode_multipart

from crm.alumni.models import Alumnus, ContactOwner
from crm.consent.models import ConsentEntry, ConsentState
from crm.consent.queries import choices_of
from crm.interactions.models import Interaction, Mode
from crm.mail import events, webhook
from crm.mail.models import Message, MessageState
from tests.crm.mail.outbox import make_content, queue
from tests.crm.mail.test_events import PUBLIC, event, signed
from tests.factories import Make

ADDRESS = "zoe@mail.example"
WHERE = "/hooks/sendgrid/inbound"
Post = Callable[..., TestResponse]


@pytest.fixture
def post(app: Flask, client: FlaskClient, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Posts a mail's fields as Inbound Parse would, signed at `now`."""
    changed = app.config["SETTINGS"].model_copy(update={"sendgrid_webhook_public_key": PUBLIC})
    monkeypatch.setitem(app.config, "SETTINGS", changed)

    def send(fields: dict[str, str], **headers: str) -> TestResponse:
        boundary, raw = encode_multipart(fields)
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post(
            WHERE, data=raw, content_type=kind, headers={**signed(raw, now), **headers}
        )

    return send


@pytest.fixture
def person(make: Make) -> Alumnus:
    return make.alumnus(email=ADDRESS)


@pytest.fixture
def sent(session: Session, person: Alumnus, now: datetime) -> Message:
    """A message that was delivered yesterday."""
    identity = queue(session, person, make_content(session, now), now - timedelta(days=1))
    message = session.get_one(Message, identity)
    message.state, message.attempt, message.origin = MessageState.ACCEPTED, 1, "campaign:spring"
    message.accepted_at, message.to_address = now - timedelta(days=1), ADDRESS
    session.commit()
    return message


def mail(
    *lines: str, text: str = "Happy to help!", sender: str = ADDRESS, **more: str
) -> dict[str, str]:
    """The fields of a mail with these headers beside the usual ones."""
    headers = [
        f"From: Zoë <{sender}>", "To: alumni@district.example", "Subject: Re: News",
        "Date: Tue, 15 Sep 2026 09:00:00 -0400", *lines,
    ]  # fmt: skip
    if not any(line.lower().startswith("message-id:") for line in lines):
        headers.append("Message-ID: <one@mail.example>")
    return {
        "headers": "\n".join(headers), "from": f"Zoë <{sender}>", "to": "alumni@district.example",
        "subject": "Re: News", "text": text, "envelope": json.dumps({"from": sender}),
        "charsets": '{"text":"utf-8"}', "SPF": "pass", **more,
    }  # fmt: skip


def answers(message: Message) -> str:
    return f"In-Reply-To: <{message.id}.1@district.example>"


def replies(session: Session) -> list[Interaction]:
    session.expire_all()
    return list(session.scalars(select(Interaction).where(Interaction.kind == "replied")))


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


def test_a_mail_that_comes_whole_is_read_as_well(
    post: Post, session: Session, sent: Message, person: Alumnus
) -> None:
    raw = EmailMessage()
    raw["From"], raw["In-Reply-To"] = f"Zoë <{ADDRESS}>", f"<{sent.id}.2@district.example>"
    raw["Message-ID"] = "<whole@mail.example>"
    raw.set_content("¡Sí, con gusto!")
    raw.add_alternative("<p>¡Sí, con gusto!</p>", subtype="html")
    assert post({"email": raw.as_string()}).status_code == 204
    assert len(replies(session)) == 1
    raw.replace_header("Message-ID", "<whole-2@mail.example>")
    raw.get_payload(0).set_content("stop")  # type: ignore[union-attr]
    assert post({"email": raw.as_string()}).status_code == 204
    assert set(choices_of(session, person.id).values()) == {False}


def test_a_reply_to_a_record_that_was_merged_counts_for_the_one_that_stands(
    post: Post, session: Session, make: Make, sent: Message, person: Alumnus
) -> None:
    kept = make.alumnus()
    person.merged_into_id = kept.id
    session.commit()
    assert post(mail(answers(sent))).status_code == 204
    assert [reply.alumnus_id for reply in replies(session)] == [kept.id]


def test_an_answer_to_no_message_of_ours_by_a_stranger_makes_no_reply(
    post: Post, session: Session
) -> None:
    unknown = f"In-Reply-To: <{uuid4()}.1@district.example>"
    assert post(mail(unknown, sender="stranger@mail.example")).status_code == 204
    assert replies(session) == []


@pytest.mark.parametrize(
    "headers",
    [
        {webhook.SIGNATURE: ""}, {webhook.SIGNATURE: "AAAA"}, {webhook.TIMESTAMP: ""},
        {webhook.TIMESTAMP: "1"},
    ],
)  # fmt: skip
def test_a_mail_that_the_provider_did_not_sign_changes_nothing_and_is_noted(
    post: Post, session: Session, sent: Message, headers: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert post(mail(answers(sent)), **headers).status_code == 403
    assert replies(session) == []
    assert "mail.hook_refused" in capsys.readouterr().err


def test_a_key_of_its_own_is_the_only_one_that_counts(
    post: Post, app: Flask, sent: Message, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_key = app.config["SETTINGS"]
    other = given_key.model_copy(
        update={"sendgrid_inbound_public_key": PUBLIC, "sendgrid_webhook_public_key": None}
    )
    monkeypatch.setitem(app.config, "SETTINGS", other)
    assert post(mail(answers(sent))).status_code == 204
    swapped = given_key.model_copy(update={"sendgrid_inbound_public_key": "AAAA"})
    monkeypatch.setitem(app.config, "SETTINGS", swapped)
    assert post(mail(answers(sent), "Message-ID: <two@x>")).status_code == 403
    assert len(replies(session)) == 1


def test_without_a_key_no_mail_is_taken(client: FlaskClient, session: Session) -> None:
    assert client.post(WHERE, data=mail()).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"text": "hello"}, {"headers": "Subject: no sender", "text": "x"},
        {"headers": "From: nobody", "from": "nobody"}, {"headers": " ", "email": "\x00"},
        mail(envelope="{"), mail(envelope="[1]"), mail(envelope="[" * 100_000),
    ],
)  # fmt: skip
def test_what_is_no_mail_is_refused(post: Post, session: Session, fields: dict[str, str]) -> None:
    assert post(fields).status_code == 400
    assert replies(session) == []


def test_a_body_that_is_no_form_is_refused(
    post: Post, client: FlaskClient, now: datetime, session: Session
) -> None:
    for raw, kind in (
        (b"{}", "application/json"), (b"x", "multipart/form-data"), (b"", "text/plain"),
        (b"--a\r\n\r\n", "multipart/form-data; boundary=a"), (b"\xff" * 99, "multipart/form-data"),
    ):  # fmt: skip
        answer = client.post(WHERE, data=raw, content_type=kind, headers=signed(raw, now))
        assert answer.status_code == 400


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    fields=st.dictionaries(
        st.sampled_from(["headers", "from", "text", "html", "email", "envelope", "subject"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
        | st.sampled_from(["From: =?x?q?=?= <a@b.example>", "From: a@b.example\nDate: <", "{}"]),
    )
)  # fmt: skip
def test_whatever_is_posted_the_answer_is_never_our_fault(
    post: Post, session: Session, person: Alumnus, fields: dict[str, str]
) -> None:
    assert post(fields).status_code in {204, 400}
