"""A provider that posts what came in, and a message to answer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse, encode_multipart

from crm.alumni.models import Alumnus
from crm.mail.models import Message, MessageState
from tests.crm.mail.events.posting import PUBLIC, signed
from tests.crm.mail.inbound.posting import ADDRESS, WHERE, Post
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make


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
