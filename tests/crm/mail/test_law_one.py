"""Law 1: one message, once, with many deliverers at work. Killed ones are in `tests/killed`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.mail.delivery import DeliveryReport, deliver
from crm.mail.models import MailboxItem, Message, MessageState
from crm.mail.transport import Batch, Guarantee, Outcome
from tests.conftest import TODAY, settings_for
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make
from wsgi import create_app

WORKERS = 4


@pytest.fixture
def shared(make_database: Callable[[], URL], tmp_path: Path) -> Iterator[Flask]:
    """An app on a database of its own, which several threads may commit to."""
    app = create_app(settings_for(make_database(), tmp_path))
    yield app
    with app.app_context():
        db.engine.dispose()


def fill(app: Flask, at: datetime) -> None:
    """40 people with three mails each (the budget allows two), every fourth sharing an address."""
    with app.app_context():
        session = db.session()
        make = Make(session, at)
        school = make.school()
        versions = [make_content(session, at, key=f"c{n}", body="Hello.") for n in range(3)]
        for n in range(40):
            person = make.alumnus(email=f"p{n - n % 4 // 3}@mail.example", school=school)
            for version in versions:
                queue(session, person, version, at, origin=f"campaign:{version}")
        session.commit()


def work(app: Flask, at: datetime) -> DeliveryReport:
    return deliver(app, at=at, batch=7)


def test_many_deliverers_together_send_each_once_and_keep_the_budget(shared: Flask) -> None:
    fill(shared, TODAY)
    with ThreadPoolExecutor(WORKERS) as pool:
        reports = list(pool.map(lambda _: work(shared, TODAY), range(WORKERS)))
    with shared.app_context():
        session = db.session()
        kept = session.scalars(select(MailboxItem.message_id)).all()
        accepted = session.scalar(
            select(func.count()).where(Message.state == MessageState.ACCEPTED)
        )
        gone = select(Message.alumnus_id, Message.to_address, Message.origin).where(
            Message.state == MessageState.ACCEPTED
        )
        rows = session.execute(gone).all()
        states = Counter(session.scalars(select(Message.state)))
    assert sum(report.accepted for report in reports) == accepted == len(kept) == len(set(kept))
    assert max(Counter(row.alumnus_id for row in rows).values()) == 2
    assert max(Counter((row.origin, row.to_address) for row in rows).values()) == 1
    assert sum(states.values()) == 120
    assert not states.keys() - {MessageState.ACCEPTED, MessageState.SKIPPED, MessageState.QUEUED}


def test_a_claim_in_other_hands_is_not_touched(shared: Flask) -> None:
    fill(shared, TODAY)
    with shared.app_context():
        session = db.session()
        held = select(Message.id).order_by(Message.id).limit(20).with_for_update()
        ids = set(session.scalars(held))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work, shared, TODAY + timedelta(minutes=1)).result()
        again = session.execute(select(Message.state).where(Message.id.in_(ids))).scalars()
        assert set(again) == {MessageState.QUEUED}
        session.rollback()


class Slow:
    """A provider that looks at the outbox during its first hand-over, and may then ask to wait."""

    name, guarantee = "slow", Guarantee.NONE

    def __init__(self, app: Flask, *, stop: bool) -> None:
        self.app, self.stop, self.size, self.most = app, stop, 7, 0

    def new_batch(self) -> str:
        return "held"

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        ids = {parcel.message_id for parcel in batch.parcels}
        if not self.most:
            self.most = self.claimed(more_than=len(ids))
        return Outcome(later=ids, stop=True) if self.stop else Outcome(accepted=ids)

    def claimed(self, *, more_than: int) -> int:
        """How many messages are claimed once that is more than these, or after a while."""
        found = 0
        for _ in range(500):
            with self.app.app_context():
                waiting = select(func.count()).where(Message.state == MessageState.CLAIMED)
                found = db.session.scalar(waiting) or 0
            if found > more_than:
                break
            sleep(0.01)
        return found

    def cancel(self, batch_id: str) -> bool:
        return False

    def release(self, batch_id: str) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""


def test_the_next_are_claimed_while_the_provider_answers(shared: Flask) -> None:
    fill(shared, TODAY)
    slow = Slow(shared, stop=False)
    report = deliver(shared, at=TODAY, batch=7, transport=slow)
    assert slow.most > 7
    with shared.app_context():
        states = Counter(db.session.scalars(select(Message.state)))
    assert report.accepted == states[MessageState.ACCEPTED] > 40
    assert MessageState.CLAIMED not in states


def test_a_provider_that_asks_to_wait_leaves_nothing_claimed_ahead(shared: Flask) -> None:
    fill(shared, TODAY)
    slow = Slow(shared, stop=True)
    deliver(shared, at=TODAY, batch=7, transport=slow)
    assert slow.most > 7
    with shared.app_context():
        states = set(db.session.scalars(select(Message.state)))
    assert states <= {MessageState.QUEUED, MessageState.SKIPPED}
