"""What events do: close an address, count a click, settle a batch, in any order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.consent.models import Suppression
from crm.consent.queries import choices_of
from crm.interactions.models import Interaction
from crm.mail import events, webhook
from crm.mail.models import Delivery, Message, MessageState
from tests.crm.mail.events.posting import ADDRESS, Post, event, told
from tests.crm.mail.outbox import queue
from tests.factories import Make


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
