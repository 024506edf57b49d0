"""Mail as it is made, and handed over by SMTP: each mail’s fate is its own."""

from __future__ import annotations

import quopri
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.mail import mime
from crm.mail.delivery import deliver
from crm.mail.mime import encoded_words
from crm.mail.outbox import Attachment
from crm.mail.reconcile import reconcile
from crm.mail.smtp import SmtpTransport
from tests.crm.mail.handing_over import by_smtp, campaign, states
from tests.crm.mail.outbox import make_content, queue
from tests.crm.mail.sinks import MailServer, mail_server
from tests.factories import Make


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with mail_server() as sink:
        yield sink


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
