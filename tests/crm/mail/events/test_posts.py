"""Events of the provider: signed, kept word for word, harmless whatever they hold."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.mail import webhook
from crm.mail.models import Delivery, DeliveryEvent, Message
from tests.crm.mail.events.posting import Post, event, signed, told


def test_a_delivery_is_kept_word_for_word_and_counted_once_however_often_told(
    post: Post, session: Session, sent: Message, now: datetime
) -> None:
    body = [event("delivered", sent, now, response="250 ok")]
    assert post(body).status_code == 204
    body[0]["sg_event_id"] = "changed-on-redelivery"
    assert post(body * 3).status_code == 204
    kept = session.scalars(select(DeliveryEvent)).one()
    assert kept.payload["response"] == "250 ok"
    assert told(session, sent).delivery is Delivery.DELIVERED
    assert told(session, sent).delivered_at == now


def forged(raw: bytes, now: datetime) -> dict[str, dict[str, str]]:
    good = signed(raw, now)
    return {
        "unsigned": {webhook.SIGNATURE: "", webhook.TIMESTAMP: ""},
        "not base64": {webhook.SIGNATURE: "%%%"},
        "not a signature": {webhook.SIGNATURE: base64.b64encode(b"x" * 70).decode()},
        "of another body": {webhook.SIGNATURE: signed(b"[]", now)[webhook.SIGNATURE]},
        "old": signed(raw, now - timedelta(hours=1)),
        "of the future": signed(raw, now + timedelta(hours=1)),
        "another time": {webhook.TIMESTAMP: str(int(good[webhook.TIMESTAMP]) + 1)},
        "no time": {webhook.TIMESTAMP: "soon"},
        "odd digits": {webhook.TIMESTAMP: "٣" * 10},
        "endless time": {webhook.TIMESTAMP: "9" * 400},
    }


@pytest.mark.parametrize("kind", list(forged(b"", datetime.fromtimestamp(0, UTC))))
def test_a_forged_or_stale_post_changes_nothing(
    post: Post, session: Session, sent: Message, now: datetime, kind: str
) -> None:
    raw = json.dumps([event("bounce", sent, now)]).encode()
    assert post(raw, **forged(raw, now)[kind]).status_code == 403
    assert session.scalar(select(func.count()).select_from(DeliveryEvent)) == 0
    assert told(session, sent).delivery is Delivery.NONE


def test_without_a_key_nothing_is_taken(client: FlaskClient) -> None:
    assert client.post("/hooks/sendgrid/events", data=b"[]").status_code == 403


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"x", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b"[" * 900 + b"]" * 900 + b"x",
        b'[{"event": NaN}]', b"[1e999", b'"\\ud800"', b"9" * 5_000,
    ],
)  # fmt: skip
def test_a_post_that_cannot_be_read_is_refused(post: Post, raw: bytes) -> None:
    assert post(raw).status_code == 400


@pytest.mark.parametrize(
    "odd",
    [
        1, None, [], {}, {"event": ["x"]}, {"event": "delivered"},
        {"event": "delivered", "timestamp": 10**30}, {"event": "delivered", "timestamp": "1"},
        {"event": "delivered", "timestamp": -5}, {"event": "delivered", "timestamp": True},
        {"event": "explode", "timestamp": 1_789_000_000},
    ],
)  # fmt: skip
def test_what_is_no_event_is_passed_by_and_the_rest_is_taken(
    post: Post, session: Session, sent: Message, now: datetime, odd: Any
) -> None:
    assert post([odd, event("delivered", sent, now)]).status_code == 204
    assert session.scalar(select(func.count()).select_from(DeliveryEvent)) == 1


def deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", ["\x00", "\ud800", "x" * 100_000, deep(300), {"a": deep(200)}, 10**300, "’or 1=1"]
)
@pytest.mark.parametrize("name", ["reason", "email", "message_id", "attempt", "url", "useragent"])
def test_nasty_values_are_kept_harmlessly(
    post: Post, session: Session, sent: Message, now: datetime, name: str, value: Any
) -> None:
    answer = post([event("click", sent, now) | {name: value}, event("delivered", sent, now)])
    assert answer.status_code == 204
    assert told(session, sent).delivery is Delivery.DELIVERED
