"""A campaign handed to a local sink, against a bare loop that only writes bytes to that sink."""

from __future__ import annotations

import http.client
import json
import smtplib
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import String, cast, literal, select

from benchmarks import outbox, sinks
from benchmarks.data import filled_app
from benchmarks.figures import Figure, timed
from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.delivery import DeliveryReport, deliver
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_many
from crm.mail.sendgrid import SendGridTransport
from crm.mail.smtp import SmtpTransport
from crm.mail.transport import Transport

NOON = datetime(2026, 9, 15, 16, tzinfo=UTC)
LATER = NOON + timedelta(days=40)
"""When the contact budget has room again."""
SMTP_GOAL, SENDGRID_GOAL = 0.7, 0.15
LISTMONK, TIMES_LISTMONK = 4_500, 5
PER_REQUEST = 1_000
BODY = (
    """Dear {{ first_name }},

the class of {{ class_year | long ago }} of {{ school }} meets again. """
    + ("Three stories from the classrooms, one from the band room, and a date to keep. " * 8)
    + "\n\n[See your page]({{ profile_link }})\n"
)


def run(people: int) -> list[Figure]:
    """Messages a second by SMTP and to SendGrid's address, each beside its floor."""
    with filled_app(people) as app:
        figures = [*_smtp(app), *_sendgrid(app)]
        campaign("by-nobody")
        return [*figures, *outbox.claim_and_record(app, LATER), *outbox.intake(LATER)]


def campaign(name: str) -> None:
    """Queue one message for everybody."""
    session = db.session()
    variants = {"en": Variant("News for {{ first_name }}", "", BODY)}
    version = save_content(
        session, key=name, name=name, topic_key="news", variants=variants, by=SYSTEM, at=NOON
    )
    rows = select(
        Alumnus.id.label("alumnus_id"),
        (literal(f"{name}:") + cast(Alumnus.id, String)).label("key"),
    )
    queue_many(
        session, rows, message_class=MessageClass.MARKETING, at=NOON, origin=f"campaign:{name}",
        version_id=version.id, topic_key="news",
    )  # fmt: skip
    session.commit()


def sent(app: Flask, transport: Transport) -> tuple[DeliveryReport, float]:
    """The report of a whole campaign and how many messages a second it came to."""
    reports: list[DeliveryReport] = []
    taken = timed(lambda: reports.append(deliver(app, at=NOON, transport=transport)))
    return reports[0], reports[0].accepted / taken * 1_000


def _smtp(app: Flask) -> list[Figure]:
    campaign("by-smtp")
    with sinks.sink(sinks.smtp) as port:
        report, ours = sent(app, SmtpTransport(f"smtp://127.0.0.1:{port}"))
        floor = _bare_smtp(port, report.accepted)
    return [
        Figure(
            "delivery", "SMTP campaign", report.accepted, "msg/s", ours, floor, SMTP_GOAL,
            at_least=True, note="floor: smtplib, one connection, prebuilt bytes",
        )
    ]  # fmt: skip


def _bare_smtp(port: int, count: int) -> float:
    message = b"Subject: x\r\nTo: x@mail.example\r\n\r\n" + b"<p>word word word word</p>\r\n" * 300
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.ehlo()

        def loop() -> None:
            for n in range(count):
                server.sendmail("us@mail.example", f"p{n}@mail.example", message)

        return count / timed(loop) * 1_000


def _sendgrid(app: Flask) -> list[Figure]:
    campaign("by-sendgrid")
    with sinks.sink(sinks.http) as port:
        report, ours = sent(app, SendGridTransport("SG.bench", f"http://127.0.0.1:{port}"))
        floor = _bare_http(port, report.accepted)
    size = report.accepted
    return [
        Figure(
            "delivery", "SendGrid campaign", size, "msg/s", ours, floor, SENDGRID_GOAL,
            at_least=True, note="floor: http.client and json, 1,000 a request",
        ),
        Figure(
            "delivery", "SendGrid campaign against listmonk", size, "msg/s", ours, LISTMONK,
            TIMES_LISTMONK, at_least=True, note="listmonk as published, on another machine",
        ),
    ]  # fmt: skip


def _bare_http(port: int, count: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    content = [{"type": "text/html", "value": "<p>word word word word</p>" * 300}]

    def loop() -> None:
        for first in range(0, count, PER_REQUEST):
            people = [
                {
                    "to": [{"email": f"p{n}@mail.example"}],
                    "substitutions": {f"tag{k}": f"value {n}" for k in range(8)},
                    "custom_args": {"message_id": str(n), "origin": "x", "attempt": "1"},
                }
                for n in range(first, min(first + PER_REQUEST, count))
            ]
            body = json.dumps({"personalizations": people, "content": content}).encode()
            connection.request("POST", "/v3/mail/send", body)
            connection.getresponse().read()

    try:
        return count / timed(loop) * 1_000
    finally:
        connection.close()
