"""Mail that came in by a post: signed, whole, and harmless whatever it holds."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.queries import choices_of
from crm.mail import webhook
from crm.mail.models import Message
from tests.crm.mail.events.posting import PUBLIC, signed
from tests.crm.mail.inbound.posting import ADDRESS, WHERE, Post, answers, mail, replies
from tests.factories import Make


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
