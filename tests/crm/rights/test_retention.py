"""The retention schedule: what goes when, what never goes, and what is told of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.consent import service as consent
from crm.consent.models import ConsentEntry, ConsentSource, Suppression, SuppressionReason
from crm.core.district import choose, chosen
from crm.core.extend import Extensions, Keep, extensions
from crm.core.models import Throttle
from crm.core.months import keep_up, parts
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction
from crm.mail.events import take_in
from crm.mail.models import Delivery, DeliveryEvent, Message, MessageState
from crm.mail.webhook import parse
from crm.rights import retention, schedule, wishes
from crm.rights.models import RetentionRun
from crm.rights.retention import Schedule, days_of, report, run, set_days
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make

LONG = timedelta(days=4_000)


@pytest.fixture
def told(session: Session, make: Make, now: datetime) -> DeliveryEvent:
    """What a provider said of a mail to somebody."""
    sent = queue(session, make.alumnus(), make_content(session, now), now, merge={"x": "y"})
    session.get_one(Message, sent).state = MessageState.ACCEPTED
    return make.save(
        DeliveryEvent(
            dedupe_key="e1", message_id=sent, kind="delivered", at=now, payload={"email": "a@b"},
            received_at=now,
        )
    )  # fmt: skip


def test_words_go_on_their_day_and_not_before_and_what_happened_stays(
    session: Session, told: DeliveryEvent, now: datetime
) -> None:
    run(session, at=now + timedelta(days=179))
    session.refresh(told)
    assert told.payload == {"email": "a@b"}
    assert run(session, at=now + timedelta(days=181))["delivery_payload"] == 1
    session.refresh(told)
    assert (told.payload, told.kind) == ({}, "delivered")
    assert "delivery_payload" not in run(session, at=now + timedelta(days=182))


def test_the_ledger_and_closed_addresses_outlive_everything(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    consent.withdraw(session, person.id, topic_key=None, source=ConsentSource.LINK, at=now)
    complained = SuppressionReason.COMPLAINED
    consent.suppress(session, ["a@mail.example"], reason=complained, source="t", at=now)
    run(session, at=now + LONG)
    assert session.scalar(select(func.count()).select_from(ConsentEntry)) == 1
    assert session.scalar(select(func.count()).select_from(Suppression)) == 1


@pytest.mark.parametrize("table", [ConsentEntry, Suppression])
def test_nobody_can_put_them_on_the_schedule(table: Any) -> None:
    keep = Keep("x", "x", "x", table.__table__, table.at, 1, 1, 1)
    with pytest.raises(ValueError, match="kept for good"):
        schedule.register(Extensions(), keep)


def test_rows_of_somebody_under_a_legal_hold_stay(
    session: Session, told: DeliveryEvent, now: datetime
) -> None:
    person_id = session.get_one(Message, told.message_id).alumnus_id or 0
    wishes.hold(session, person_id, reason="a suit", by=SYSTEM, at=now)
    run(session, at=now + LONG)
    session.refresh(told)
    message = session.get_one(Message, told.message_id)
    session.refresh(message)
    assert (told.payload, message.merge) == ({"email": "a@b"}, {"x": "y"})
    wishes.release(session, person_id, by=SYSTEM, at=now)
    run(session, at=now + timedelta(days=181))
    session.refresh(told)
    assert told.payload == {}


def months_of(session: Session, table: str = "delivery_event") -> set[str]:
    return {part.name for part in parts(session, table) if part.month}


def test_a_month_goes_as_a_whole_once_every_row_in_it_may_go(
    session: Session, told: DeliveryEvent, now: datetime
) -> None:
    keep_up(session, now)
    assert f"delivery_event_{now:%Y_%m}" in months_of(session)
    assert "delivery_event" not in run(session, at=now + timedelta(days=3 * 365 + 10))
    assert f"delivery_event_{now:%Y_%m}" in months_of(session)
    later = now + timedelta(days=3 * 365 + 20)
    assert run(session, at=later)["delivery_event"] == 1
    assert f"delivery_event_{now:%Y_%m}" not in months_of(session)
    logged = select(RetentionRun.key, RetentionRun.rows).where(RetentionRun.rows == 1)
    assert ("delivery_event", 1) in [tuple(row) for row in session.execute(logged)]
    line = next(x for x in report(session, at=later) if x.keep.key == "delivery_event")
    assert line.gone == 1


def test_a_month_that_holds_a_row_under_a_legal_hold_stays_and_the_rest_of_it_goes(
    session: Session, make: Make, told: DeliveryEvent, now: datetime
) -> None:
    other = DeliveryEvent(dedupe_key="e2", kind="click", at=now, payload={}, received_at=now)
    make.save(other)
    keep_up(session, now)
    person_id = session.get_one(Message, told.message_id).alumnus_id or 0
    wishes.hold(session, person_id, reason="a suit", by=SYSTEM, at=now)
    assert run(session, at=now + LONG)["delivery_event"] == 1
    assert list(session.scalars(select(DeliveryEvent.dedupe_key))) == ["e1"]
    assert f"delivery_event_{now:%Y_%m}" in months_of(session)
    wishes.release(session, person_id, by=SYSTEM, at=now)
    assert run(session, at=now + LONG)["delivery_event"] == 1
    assert f"delivery_event_{now:%Y_%m}" not in months_of(session)


def test_what_was_concluded_stays_when_the_events_are_gone(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    sent = queue(session, person, make_content(session, now), now)
    message = session.get_one(Message, sent)
    message.state, message.attempt = MessageState.ACCEPTED, 1

    def tell(kind: str, at: datetime) -> None:
        event = {"event": kind, "timestamp": int(at.timestamp()), "message_id": str(sent)}
        take_in(session, parse(json.dumps([event]).encode()), at=at)
        session.refresh(message)

    tell("delivered", now + timedelta(minutes=1))
    tell("click", now + timedelta(hours=1))
    first = message.clicked_at
    later = now + timedelta(days=3 * 365 + 20)
    assert run(session, at=later)["delivery_event"] == 2
    tell("click", later)
    assert (message.delivery, message.clicked_at) == (Delivery.DELIVERED, first)
    assert message.delivered_at == now + timedelta(minutes=1)
    clicked = select(Interaction.occurred_at).where(Interaction.kind == "link_clicked")
    assert session.scalars(clicked).all() == [first]


def test_much_goes_in_bounded_batches(
    session: Session, make: Make, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "BATCHES", 2)
    old = now - timedelta(days=9)
    for n in range(8):
        make.save(Throttle(key=f"t{n}", window_start=old, hits=1))
    assert run(session, at=now)["throttle"] == 6
    assert run(session, at=now)["throttle"] == 2


def test_a_district_chooses_within_the_bounds(
    coordinator: FlaskClient, session: Session, now: datetime
) -> None:
    assert coordinator.post("/settings/retention", data={"mailbox_item": "30"}).status_code == 303
    keep = next(k for k in extensions().retention if k.key == "mailbox_item")
    assert days_of(chosen(session, Schedule), keep) == 30
    assert coordinator.post("/settings/retention", data={"mailbox_item": "3"}).status_code == 422
    # A number that bounds of a later release forbid is brought within them.
    choose(session, Schedule(days={"mailbox_item": 9_999}), at=now)
    assert days_of(chosen(session, Schedule), keep) == keep.most


def test_the_report_counts_what_the_run_then_lets_go(
    app: Flask, runner: Any, session: Session, told: DeliveryEvent, now: datetime
) -> None:
    later = now + timedelta(days=800)
    foreseen = {line.keep.key: line.due for line in report(session, at=later) if line.due}
    session.commit()
    moment = later.isoformat()
    done = runner.invoke(args=["retention", "run", "--json", "--as-of", moment])
    assert json.loads(done.stdout.splitlines()[-1])["gone"] == foreseen
    again = runner.invoke(args=["retention", "report", "--json", "--as-of", moment])
    kinds = json.loads(again.stdout.splitlines()[-1])["kinds"]
    assert [kind["due"] for kind in kinds] == [0] * len(kinds)
    assert {kind["key"]: kind["gone"] for kind in kinds if kind["gone"]} == foreseen


def test_every_kind_says_why_and_stays_within_its_bounds(app: Flask) -> None:
    kinds = extensions(app).retention
    assert len({keep.key for keep in kinds}) == len(kinds)
    assert all(str(keep.label) and str(keep.reason) for keep in kinds)
    with app.app_context():
        assert set_days(Schedule(), {}).days == {}
