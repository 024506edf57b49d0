"""A campaign handed to one transport or the other, and what came of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.mail.delivery import DeliveryReport, deliver
from crm.mail.models import Message
from crm.mail.reconcile import reconcile
from crm.mail.sendgrid import SendGridTransport
from crm.mail.smtp import SmtpTransport
from tests.crm.mail.outbox import make_content, queue
from tests.crm.mail.sinks import MailServer, Provider
from tests.factories import Make


def states(session: Session) -> list[str]:
    return sorted(session.scalars(select(Message.state)))


def campaign(session: Session, make: Make, now: datetime, count: int) -> list[UUID]:
    version = make_content(session, now)
    people = [make.alumnus(f"P{n}", email=f"p{n}@mail.example") for n in range(count)]
    return [queue(session, person, version, now) for person in people]


def by_sendgrid(app: Flask, fake: Provider, at: datetime) -> DeliveryReport:
    transport = SendGridTransport("SG.test", fake.url, timeout=3)
    return deliver(app, at=at, transport=transport)


def settle(app: Flask, fake: Provider, at: datetime) -> int:
    transport = SendGridTransport("SG.test", fake.url, timeout=3)
    return reconcile(app, at=at, transport=transport).requeued


def by_smtp(app: Flask, sink: MailServer, at: datetime) -> DeliveryReport:
    return deliver(app, at=at, transport=SmtpTransport(sink.url, timeout=3))
