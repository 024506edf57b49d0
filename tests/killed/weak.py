"""Designs of sending that look sound and are not: the harness must find each of them out.

Each differs from ours in one thing, as the literature and the threads of other systems have it.
Where one replaces a piece of ours it does so in a process that then ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.mail import events, outcomes, reconcile, webhook
from crm.mail.delivery import standing_in
from crm.mail.models import Message, MessageState
from crm.mail.transport import Guarantee
from crm.mail.webhook import Event
from tests.killed.provider import FileProvider, Weather
from tests.killed.year import Design, Disturbance

LOOSE: dict[str, Any] = {"synchronize_session": False}
QUARTER = timedelta(minutes=15)
IN_HAND = [MessageState.CLAIMED, MessageState.UNCERTAIN]


def after(grace: timedelta) -> Any:
    """Whatever has no known outcome after so long is sent again; nothing is taken back."""

    def settle(app: Flask, at: datetime, provider: FileProvider) -> None:
        reconcile.patience = lambda *_: grace
        reconcile.reconcile(app, at=at, transport=provider)

    return settle


def deaf(session: Session, body: bytes, at: datetime) -> None:
    """What the provider tells is not listened to."""


def without_intent(app: Flask, at: datetime, provider: FileProvider) -> None:
    """A batch is taken back first, and only then noted and queued again."""
    with standing_in(app):
        session = db.session()
        stale = at - timedelta(minutes=10)
        doubtful = Message.state.in_(IN_HAND), Message.claimed_at < stale
        batches = select(Message.batch_id).where(
            *doubtful, Message.send_at >= at + reconcile.MARGIN
        )
        names = session.scalars(batches.distinct()).all()
        session.commit()
        for name in names:
            if provider.cancel(str(name)):
                mine = update(Message).where(Message.batch_id == name, Message.state.in_(IN_HAND))
                again = {
                    "state": MessageState.QUEUED, "batch_id": None, "claimed_at": None,
                    "send_at": None, "not_before": func.greatest(Message.not_before, at),
                }  # fmt: skip
                session.execute(mine.values(again), execution_options=LOOSE)
                session.commit()


def row_by_row(session: Session, body: bytes, at: datetime) -> None:
    """An event proves its own message and nothing of the rest of its batch."""

    def accept(session: Session, told: Sequence[Event], at: datetime) -> None:
        pairs = {(e.message_id, e.attempt) for e in told if e.kind in outcomes.PROOF}
        named = tuple_(Message.id, Message.attempt).in_(pairs)
        proven = update(Message).where(named, Message.state.in_(IN_HAND))
        values = {"state": MessageState.ACCEPTED, "accepted_at": at}
        session.execute(proven.values(values), execution_options=LOOSE)

    outcomes._accept = accept
    events.take_in(session, webhook.parse(body), at=at)


@dataclass(frozen=True)
class Weak:
    """A design, the weather that brings out its weakness, and the figure that shows it."""

    design: Design
    weather: Weather
    shows: str
    points: tuple[str, ...] = ()

    def disturbance(self, seed: int, kills: int) -> Disturbance:
        """What is done to it."""
        return Disturbance(seed, kills, self.weather, points=self.points)


ANSWERS_LOST = Weather(lost=0.3, delay=QUARTER)
RETRIES = Design(guarantee=Guarantee.KEY)
WEAK: Mapping[str, Weak] = {
    "a lease that runs out, then blind retry": Weak(
        replace(RETRIES, settle=after(timedelta(minutes=1)), take_in=deaf), ANSWERS_LOST, "doubled"
    ),
    "events alone, waited for five minutes": Weak(
        replace(RETRIES, settle=after(timedelta(minutes=5))), ANSWERS_LOST, "doubled"
    ),
    "events alone, waited for a day": Weak(
        replace(RETRIES, settle=after(timedelta(hours=25))), Weather(), "late",
        ("deliver: posting",),
    ),
    "a fence without intent": Weak(
        Design(settle=without_intent), Weather(lost=0.6, early=0.6, early_after=(12,)), "lost",
        ("reconcile: cancelled",),
    ),
    "a fence that believes events row by row": Weak(
        Design(take_in=row_by_row), Weather(lost=0.6, early=0.5), "lost"
    ),
}  # fmt: skip
