"""SMTP and SendGrid against servers of ours: what they are handed, and every way it may end."""

from __future__ import annotations

import quopri
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.mail import mime
from crm.mail.delivery import DeliveryReport, deliver
from crm.mail.mime import encoded_words
from crm.mail.models import Message, MessageClass, MessageState, SendAttempt
from crm.mail.outbox import Attachment
from crm.mail.reconcile import reconcile
from crm.mail.sendgrid import SendGridTransport
from crm.mail.smtp import SmtpTransport
from tests.crm.mail.outbox import make_content, queue
from tests.crm.mail.sinks import MailServer, Provider, mail_server, provider
from tests.factories import Make


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with mail_server() as sink:
        yield sink


@pytest.fixture
def sendgrid() -> Iterator[Provider]:
    with provider() as fake:
        yield fake
        assert fake.faults == []


def by_smtp(app: Flask, sink: MailServer, at: datetime) -> DeliveryReport:
    return deliver(app, at=at, transport=SmtpTransport(sink.url, timeout=3))


def by_sendgrid(app: Flask, fake: Provider, at: datetime) -> DeliveryReport:
    transport = SendGridTransport("SG.test", fake.url, timeout=3)
    return deliver(app, at=at, transport=transport)


def settle(app: Flask, fake: Provider, at: datetime) -> int:
    transport = SendGridTransport("SG.test", fake.url, timeout=3)
    return reconcile(app, at=at, transport=transport).requeued


def states(session: Session) -> list[str]:
    return sorted(session.scalars(select(Message.state)))


def campaign(session: Session, make: Make, now: datetime, count: int) -> list[UUID]:
    version = make_content(session, now)
    people = [make.alumnus(f"P{n}", email=f"p{n}@mail.example") for n in range(count)]
    return [queue(session, person, version, now) for person in people]


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_is_whole_text_first_and_may_be_left_with_one_click(
    app: Flask, session: Session, make: Make, now: datetime, smtp: MailServer
) -> None:
    subject = "Grüße, {{ first_name }}: " + "lang " * 20
    text = "Olá {{ first_name }}\n\n.one dot\n\n" + "x" * 1_500 + "\n\nπ = 3"
    version = make_content(session, now, subject=subject, body=text)
    sent = queue(session, make.alumnus("Zoë 🎓", email="zoe@mail.example"), version, now)
    assert by_smtp(app, smtp, now).accepted == 1
    (mail,) = smtp.messages()
    assert mail["Subject"] == f"Grüße, Zoë 🎓: {'lang ' * 20}".strip()
    assert mail["To"] == "zoe@mail.example"
    assert mail["From"] == "District Alumni Office <alumni@homecoming.example>"
    assert mail["List-Unsubscribe"].startswith("<http://localhost/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(sent) in mail["Message-ID"]
    kinds = [part.get_content_type() for part in mail.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    plain = body(mail, "plain")
    assert "Olá Zoë 🎓" in plain
    assert "\n.one dot\n" in plain
    assert "x" * 1_500 in plain
    for kind in ("plain", "html"):
        assert "100 Example Street" in body(mail, kind)
        assert "π = 3" in body(mail, kind)
    assert max(map(len, smtp.mails[0][1].split(b"\r\n"))) <= 400
    assert all(len(line) <= 76 for line in smtp.mails[0][1].split(b"\r\n\r\n", 1)[1].split(b"\r\n"))


def test_files_travel_with_their_mail(
    app: Flask, session: Session, make: Make, now: datetime, smtp: MailServer
) -> None:
    files = [Attachment("talk é.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n" + bytes(range(256)))]
    queue(session, make.alumnus(), make_content(session, now), now, attachments=files)
    by_smtp(app, smtp, now)
    (mail,) = smtp.messages()
    (part,) = mail.iter_attachments()
    assert part.get_filename() == "talk _.ics"
    assert part.get_payload(decode=True) == files[0].body
    assert "Dear Ada" in body(mail, "plain")


def test_a_header_cannot_be_injected(
    app: Flask, session: Session, make: Make, now: datetime, smtp: MailServer
) -> None:
    name = "Eve\r\nBcc: all@mail.example\x00\u2028X"
    person = make.alumnus(name.replace("\x00", ""), email="eve@mail.example")
    queue(session, person, make_content(session, now), now)
    by_smtp(app, smtp, now)
    (mail,) = smtp.messages()
    assert mail["Bcc"] is None
    assert mail["Subject"] == "News for Eve Bcc: all@mail.example X"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_any_subject_survives_its_encoding(text: str) -> None:
    raw = f"Subject: {encoded_words(text, 9)}\r\n\r\n".encode()
    assert max(len(line) for line in raw.split(b"\r\n")) < 998
    parsed = mime_parse(raw)
    assert parsed["Subject"].strip() == text.strip()


def mime_parse(raw: bytes) -> dict[str, str]:
    message = message_from_bytes(raw)
    return {"Subject": str(make_header(decode_header(message["Subject"] or "")))}


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
LINKS = st.text(st.sampled_from("az09./:?_-=%"), min_size=60, max_size=250)


@given(st.lists(WORDS | LINKS, max_size=6))
def test_values_put_into_a_quoted_body_read_back_as_they_were(values: list[str]) -> None:
    clean = [v.replace("\r", "") for v in values]
    stuffed = b"".join(mime._value(v) for v in clean).split(b"\r\n")
    assert all(len(line) <= 77 and (line[:2] == b"..") == (line[:1] == b".") for line in stuffed)
    coded = b"\r\n".join(line.removeprefix(b".") if line[:2] == b".." else line for line in stuffed)
    assert all(len(line) <= 76 for line in coded.split(b"\r\n"))
    assert quopri.decodestring(coded).decode().replace("\r\n", "\n") == "".join(clean)


@pytest.mark.parametrize("manner", ["one by one", "together", "together, lenient"])
@pytest.mark.parametrize(
    ("step", "told", "report"),
    [
        ("rcpt 550", "failed", {"failed": 1, "accepted": 2}),
        ("data 554", "failed", {"failed": 1, "accepted": 2}),
        ("rcpt 450", "queued", {"waiting": 1, "accepted": 2}),
        ("data 451", "queued", {"waiting": 1, "accepted": 2}),
        ("cut rcpt", "queued", {"waiting": 1, "accepted": 2}),
        ("cut data", "uncertain", {"uncertain": 1, "accepted": 2}),
    ],
)
def test_each_mails_fate_is_its_own(
    app: Flask, session: Session, make: Make, now: datetime, smtp: MailServer, step: str,
    told: str, report: dict[str, int], manner: str,
) -> None:  # fmt: skip
    campaign(session, make, now, 3)
    smtp.pipelining, smtp.lenient = manner != "one by one", "lenient" in manner
    smtp.plan = ["", step, ""]
    found = by_smtp(app, smtp, now).as_dict()
    assert {key: n for key, n in found.items() if n} == report
    assert states(session) == sorted(["accepted", "accepted", told])
    assert all(raw for _, raw in smtp.mails)
    assert len(smtp.mails) == 2 + (step == "cut data")


def test_what_may_have_gone_is_never_sent_again_and_what_did_not_is(
    app: Flask, session: Session, make: Make, now: datetime, smtp: MailServer
) -> None:
    campaign(session, make, now, 4)
    smtp.plan = ["cut rcpt", "cut data"]
    by_smtp(app, smtp, now)
    for minutes in (6, 30, 60 * 20):
        at = now + timedelta(minutes=minutes)
        reconcile(app, at=at, transport=SmtpTransport(smtp.url))
        by_smtp(app, smtp, at)
    addresses = [address for address, _ in smtp.mails]
    assert sorted(addresses) == [f"p{n}@mail.example" for n in range(4)]
    assert states(session) == ["accepted"] * 3 + ["uncertain"]


def test_a_server_that_is_away_leaves_everything_queued(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    campaign(session, make, now, 2)
    report = deliver(app, at=now, transport=SmtpTransport("smtp://127.0.0.1:1", timeout=1))
    assert (report.accepted, report.uncertain, report.waiting) == (0, 0, 2)


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
