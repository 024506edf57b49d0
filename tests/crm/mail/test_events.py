"""The provider's signed posts: who may tell, what follows, and that order and repetition do not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.consent.models import Suppression
from crm.consent.queries import choices_of
from crm.interactions.models import Interaction
from crm.mail import events, webhook
from crm.mail.models import Delivery, DeliveryEvent, Message, MessageState
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
ADDRESS = "zoe@mail.example"
Post = Callable[..., TestResponse]


def signed(body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        webhook.SIGNATURE: base64.b64encode(signature).decode(), webhook.TIMESTAMP: stamp,
    }  # fmt: skip


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


def event(kind: str, message: Message | UUID | None, at: datetime, **values: Any) -> dict[str, Any]:
    identity = message.id if isinstance(message, Message) else message
    return {
        "event": kind, "email": ADDRESS, "timestamp": int(at.timestamp()), "attempt": "1",
        "message_id": str(identity), "origin": "campaign:spring", "sg_event_id": f"{kind}-1",
        "sg_message_id": "abc.filter", **values,
    }  # fmt: skip


def told(session: Session, message: Message) -> Message:
    session.expire_all()
    return session.get_one(Message, message.id, populate_existing=True)


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


def test_a_bounce_closes_the_address_for_good(
    post: Post, session: Session, sent: Message, person: Alumnus, now: datetime
) -> None:
    post([event("bounce", sent, now, type="bounce", reason="550 no such user")])
    post([event("delivered", sent, now + timedelta(seconds=9))])
    assert told(session, sent).delivery is Delivery.BOUNCED
    point = session.scalars(select(ContactPoint).where(ContactPoint.key == ADDRESS)).one()
    assert point.status is ContactStatus.BOUNCED
    assert session.get_one(Suppression, ADDRESS).reason == "bounced"


def test_a_block_by_their_server_does_not_close_the_address(
    post: Post, session: Session, sent: Message, now: datetime
) -> None:
    post([event("bounce", sent, now, type="blocked", reason="try later")])
    assert told(session, sent).delivery is Delivery.DROPPED
    assert session.get(Suppression, ADDRESS) is None


@pytest.mark.parametrize("kind", ["spamreport", "unsubscribe", "group_unsubscribe"])
def test_whoever_complains_or_leaves_at_the_provider_gets_nothing_more(
    post: Post, session: Session, sent: Message, person: Alumnus, now: datetime, kind: str
) -> None:
    post([event(kind, sent, now)])
    assert session.get(Suppression, ADDRESS) is not None
    assert not any(choices_of(session, person.id).values())


def test_a_persons_click_counts_and_is_an_interaction(
    post: Post, session: Session, sent: Message, person: Alumnus, now: datetime
) -> None:
    later = now + timedelta(minutes=5)
    post([event("delivered", sent, now), event("click", sent, later, url="https://a.example")])
    assert told(session, sent).clicked_at == later
    (done,) = session.scalars(select(Interaction).where(Interaction.alumnus_id == person.id))
    assert (done.kind, done.machine, done.occurred_at) == ("link_clicked", False, later)


@pytest.mark.parametrize(
    ("seconds", "agent", "second"),
    [
        (2, "Mozilla/5.0", None), (600, "Barracuda Sentinel", None), (600, "python-requests", None),
        (600, "Mozilla/5.0", "https://b.example"),
    ],
)  # fmt: skip
def test_a_machines_click_counts_for_nothing(
    post: Post, session: Session, sent: Message, now: datetime, seconds: int, agent: str,
    second: str | None,
) -> None:  # fmt: skip
    at = now + timedelta(seconds=seconds)
    clicks = [event("click", sent, at, url="https://a.example", useragent=agent)]
    if second:
        clicks.append(event("click", sent, at, url=second, useragent=agent))
    post([*clicks, event("delivered", sent, now)])
    assert told(session, sent).clicked_at is None
    assert session.scalars(select(Interaction.machine)).all() == [True]


def in_hand(session: Session, message: Message, state: MessageState, **values: Any) -> None:
    message.state, message.accepted_at = state, None
    for name, value in values.items():
        setattr(message, name, value)
    session.flush()


def test_one_event_proves_that_the_whole_batch_went(
    post: Post, session: Session, make: Make, sent: Message, now: datetime
) -> None:
    other = session.get_one(Message, queue(session, make.alumnus(), sent.version_id, now))
    for message in (sent, other):
        in_hand(session, message, MessageState.UNCERTAIN, batch_id="b7", attempt=1, claimed_at=now)
    post([event("processed", sent, now)])
    assert told(session, sent).state is MessageState.ACCEPTED
    assert told(session, other).state is MessageState.ACCEPTED


@pytest.mark.parametrize(
    ("kind", "state"),
    [("processed", MessageState.QUEUED), ("delivered", MessageState.ACCEPTED)],
)
def test_an_event_of_a_cancelled_attempt_counts_only_if_it_tells_of_a_delivery(
    post: Post, session: Session, sent: Message, now: datetime, kind: str, state: MessageState
) -> None:
    in_hand(session, sent, MessageState.QUEUED, attempt=1, batch_id=None)
    post([event(kind, sent, now)])
    assert told(session, sent).state is state


def test_an_event_between_intent_and_cancelling_does_not_stop_the_new_sending(
    post: Post, session: Session, sent: Message, now: datetime
) -> None:
    in_hand(session, sent, MessageState.CANCELLING)
    post([event("processed", sent, now)])
    assert told(session, sent).state is MessageState.CANCELLING


def test_events_of_messages_we_do_not_know_harm_nothing(
    post: Post, session: Session, now: datetime
) -> None:
    stranger = UUID(int=7)
    assert post([event("bounce", stranger, now), event("click", None, now)]).status_code == 204


def test_thousands_of_events_take_as_many_statements_as_one(
    post: Post, session: Session, sent: Message, now: datetime, queries: list[str]
) -> None:
    taken = []
    for count in (1, 2_000):
        queries.clear()
        body = [event("click", UUID(int=count + n), now) for n in range(count)]
        assert post(body).status_code == 204
        taken.append(len(queries))
    assert taken[1] <= taken[0] + 2


Told = tuple[str, int, str]
some_events: st.SearchStrategy[list[Told]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["processed", "deferred", "delivered", "dropped", "bounce", "spamreport", "click"]
        ),
        st.integers(0, 30),
        st.sampled_from(["https://a.example", "https://b.example"]),
    ),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip


def end_state(session: Session, person: Alumnus, message: Message) -> tuple[Any, ...]:
    session.expire_all()
    now_told = session.get_one(Message, message.id, populate_existing=True)
    held = session.get(Suppression, ADDRESS)
    clicks = session.execute(
        select(Interaction.machine, Interaction.occurred_at).where(
            Interaction.alumnus_id == person.id
        )
    ).all()
    return (
        now_told.state, now_told.delivery, now_told.delivered_at, now_told.clicked_at,
        held and held.reason, [tuple(c) for c in clicks],
        session.scalars(select(ContactPoint.status)).all(), choices_of(session, person.id),
    )  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=some_events, data=st.data())
def test_any_order_of_events_ends_in_the_same_state(
    session: Session, make: Make, now: datetime, sent: Message, person: Alumnus,
    told: list[Told], data: st.DataObject,
) -> None:  # fmt: skip
    raw = [
        event(kind, sent, now + timedelta(seconds=s), **({"url": url} if kind == "click" else {}))
        for kind, s, url in told
    ]
    ends = []
    for order in (raw, data.draw(st.permutations(raw))):
        with session.begin_nested() as savepoint:
            for one in order:
                found = webhook.parse(json.dumps([one]).encode())
                events.take_in(session, found, at=now)
            ends.append(end_state(session, person, sent))
            savepoint.rollback()
    assert ends[0] == ends[1]
