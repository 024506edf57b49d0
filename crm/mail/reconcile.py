"""Settles messages whose hand-over has no known outcome, without ever guessing (law 1).

A request that got no answer may have been accepted. The provider's signed events are the truth
about it (`crm.mail.events`): one event of a batch proves that its request was accepted whole. Until
ten minutes before the moment of delivery the batch can instead be cancelled and its messages queued
again; the intent to do so is committed first, so that a crash between the two leaves nothing to
guess. What is still in doubt when nothing more will be told gets a reason and waits for a person.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.settings import Settings
from crm.mail.delivery import standing_in
from crm.mail.models import Message, MessageState, SendAttempt
from crm.mail.reasons import UNSETTLED
from crm.mail.transport import Guarantee, Transport
from crm.mail.transports import transport_of

log = structlog.get_logger(__name__)
MARGIN = timedelta(minutes=10)
"""A cancelled batch is surely discarded only when cancelled this long before its moment."""
SLACK = timedelta(minutes=5)
RELEASE = timedelta(hours=1)
TOLD_WITHIN = timedelta(hours=25)
"""The provider repeats what it has to tell for a day after the moment of delivery."""
BATCHES = 50
LOOSE: dict[str, Any] = {"synchronize_session": False}


@dataclass
class ReconcileReport:
    """What one run settled; `uncertain` is how many messages are still in doubt.

    `unsettled` is for how many of them it gave up waiting for a word, so that a person decides.
    """

    requeued: int = 0
    uncertain: int = 0
    unsettled: int = 0

    def as_dict(self) -> dict[str, int]:
        """The figures by name."""
        return asdict(self)


def reconcile(app: Flask, *, at: datetime, transport: Transport | None = None) -> ReconcileReport:
    """Settle what can be settled at a moment. Safe to run twice, from two places, and to kill."""
    with standing_in(app):
        session, report = db.session(), ReconcileReport()
        carrier = transport or transport_of(app)
        settings = app.config["SETTINGS"]
        stale = at - patience(settings, carrier.guarantee)
        if carrier.guarantee is Guarantee.KEY:
            report.requeued += _queue_again(session, _stale(stale), at)
        else:
            _doubt(session, stale)
        session.commit()
        if carrier.guarantee is Guarantee.FENCE:
            report.requeued += _fence(session, carrier, at, stale)
            _release(session, carrier, at - timedelta(minutes=settings.send_hold) - RELEASE)
        within = TOLD_WITHIN if carrier.guarantee is Guarantee.FENCE else timedelta(0)
        report.unsettled = _give_up(session, stale, at - within)
        report.uncertain = in_doubt(session)
        session.commit()
        carrier.close()
        if report.requeued or report.unsettled:
            log.info("mail.reconciled", **report.as_dict())
        return report


def patience(settings: Settings, guarantee: Guarantee) -> timedelta:
    """How long an unknown outcome is left alone; behind a fence not beyond what it can undo."""
    grace = timedelta(minutes=settings.uncertain_grace)
    if guarantee is not Guarantee.FENCE:
        return grace
    latest = timedelta(minutes=settings.send_hold) - MARGIN - SLACK
    return max(min(grace, latest), timedelta(minutes=1))


def in_doubt(session: Session) -> int:
    """How many messages may or may not have gone."""
    open_states = [MessageState.UNCERTAIN, MessageState.CANCELLING]
    statement = select(func.count()).where(Message.state.in_(open_states))
    return int(session.execute(statement).scalar_one())


def _stale(before: datetime) -> ColumnElement[bool]:
    """Claimed so long ago that whoever did it must have died; or in doubt."""
    return or_(
        and_(Message.state == MessageState.CLAIMED, Message.claimed_at < before),
        Message.state == MessageState.UNCERTAIN,
    )


def _doubt(session: Session, before: datetime) -> None:
    """Claims left behind by a dead deliverer: nobody knows whether they went."""
    statement = update(Message).where(
        Message.state == MessageState.CLAIMED, Message.claimed_at < before
    )
    session.execute(statement.values(state=MessageState.UNCERTAIN), execution_options=LOOSE)


def _give_up(session: Session, stale: datetime, before: datetime) -> int:
    """Give a reason to what nobody will tell any more; it is never sent again by itself (law 1).

    That includes what was being taken back when its moment passed: whether in time is not known.
    """
    statement = update(Message).where(
        Message.state.in_([MessageState.UNCERTAIN, MessageState.CANCELLING]),
        Message.reason.is_distinct_from(UNSETTLED), Message.claimed_at < stale,
        func.coalesce(Message.send_at, Message.claimed_at) < before,
    )  # fmt: skip
    done = session.execute(
        statement.values(reason=UNSETTLED).returning(Message.id), execution_options=LOOSE
    )
    return len(done.all())


def _queue_again(session: Session, which: ColumnElement[bool], at: datetime) -> int:
    statement = update(Message).where(which)
    done = session.execute(
        statement.values(
            state=MessageState.QUEUED, not_before=func.greatest(Message.not_before, at),
            batch_id=None, claimed_at=None, send_at=None, reason=None,
        ).returning(Message.id),
        execution_options=LOOSE,
    )  # fmt: skip
    return len(done.all())


def _fence(session: Session, carrier: Transport, at: datetime, stale: datetime) -> int:
    """Cancel batches in doubt while that is still sure, and queue their messages again."""
    requeued = 0
    doubtful = and_(Message.state == MessageState.UNCERTAIN, Message.claimed_at < stale)
    cancellable = (
        or_(doubtful, Message.state == MessageState.CANCELLING), Message.send_at >= at + MARGIN,
    )  # fmt: skip
    batches = list(
        session.scalars(select(Message.batch_id).where(*cancellable).distinct().limit(BATCHES))
    )
    session.commit()
    for batch_id in batches:
        mine = Message.batch_id == batch_id
        statement = update(Message).where(mine, Message.state == MessageState.UNCERTAIN)
        session.execute(statement.values(state=MessageState.CANCELLING), execution_options=LOOSE)
        session.commit()
        if not carrier.cancel(str(batch_id)):
            continue
        _mark_cancelled(session, str(batch_id), "cancelled")
        which = and_(mine, Message.state == MessageState.CANCELLING)
        requeued += _queue_again(session, which, at)
        session.commit()
    return requeued


def _mark_cancelled(session: Session, batch_id: str, result: str) -> None:
    cancelling = select(Message.id).where(
        Message.batch_id == batch_id, Message.state == MessageState.CANCELLING
    )
    statement = update(SendAttempt).where(
        SendAttempt.batch_id == batch_id, SendAttempt.message_id.in_(cancelling)
    )
    session.execute(statement.values(result=result), execution_options=LOOSE)


def _release(session: Session, carrier: Transport, before: datetime) -> None:
    """Let the provider forget cancelled batches whose moment has passed."""
    cancelled = (
        select(SendAttempt.batch_id)
        .where(SendAttempt.result == "cancelled", SendAttempt.at < before)
        .distinct()
        .limit(BATCHES)
    )
    for batch_id in list(session.scalars(cancelled)):
        if carrier.release(batch_id):
            over = SendAttempt.batch_id == batch_id, SendAttempt.result == "cancelled"
            session.execute(
                update(SendAttempt).where(*over).values(result="released"),
                execution_options=LOOSE,
            )
    session.commit()
