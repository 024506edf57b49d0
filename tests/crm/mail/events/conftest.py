"""A provider that tells of a message, and the message."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from crm.alumni.models import Alumnus
from crm.mail.models import Message, MessageState
from tests.crm.mail.events.posting import ADDRESS, PUBLIC, Post, signed
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make


@pytest.fixture
def post(app: Flask, client: FlaskClient, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Posts a list of events (or raw bytes) as the provider would, signed at `now`."""
    changed = app.config["SETTINGS"].model_copy(update={"sendgrid_webhook_public_key": PUBLIC})
    monkeypatch.setitem(app.config, "SETTINGS", changed)

    def send(body: Any, **headers: str) -> TestResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\r\n"
        return client.post(
            "/hooks/sendgrid/events", data=raw, headers={**signed(raw, now), **headers},
            content_type="application/json",
        )  # fmt: skip

    return send


@pytest.fixture
def person(make: Make) -> Alumnus:
    return make.alumnus(email=ADDRESS)


@pytest.fixture
def sent(session: Session, person: Alumnus, now: datetime) -> Message:
    """A message that was handed over and accepted an hour ago."""
    identity = queue(session, person, make_content(session, now), now - timedelta(hours=2))
    message = session.get_one(Message, identity)
    message.state, message.attempt, message.batch_id = MessageState.ACCEPTED, 1, "batch"
    message.accepted_at = message.claimed_at = now - timedelta(hours=1)
    message.to_address = ADDRESS
    session.commit()
    return message
