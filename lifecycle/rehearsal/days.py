"""Lives through days: what readers did, the tick, the mail; nothing leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.mail.claim import Consignment
from crm.mail.delivery import DeliveryReport, Run
from crm.mail.letter import Letter
from crm.mail.models import Message, MessageState
from crm.mail.policy import DISTRICT_ZONE
from crm.mail.transport import Batch, Guarantee, Outcome, Parcel
from lifecycle.engine.service import advance
from lifecycle.rehearsal.calendar import Calendar

NOON = time(12)
HOUR = timedelta(hours=1)
NO_LETTER = Letter("en", "", "", "", {})


class Readers(Protocol):
    """The people behind the addresses."""

    def act(self, session: Session, at: datetime) -> None:
        """Do what is due by the moment, through the program's own intake; commits."""

    def read(self, session: Session, at: datetime) -> None:
        """Take in the mail that was accepted at the moment, and plan what follows from it."""


class Nobody:
    """Readers who never do anything."""

    def act(self, session: Session, at: datetime) -> None:
        """Nothing is ever due."""

    def read(self, session: Session, at: datetime) -> None:
        """Nothing ever follows."""


class Nowhere:
    """A transport that accepts everything and hands it to nobody."""

    name = "rehearsal"
    guarantee = Guarantee.KEY
    size = 1_000
    files_apart = False

    def new_batch(self) -> str:
        """A name that nobody else has."""
        return uuid4().hex

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """All of it is taken."""
        return Outcome(accepted={parcel.message_id for parcel in batch.parcels})

    def cancel(self, batch_id: str) -> bool:
        """Nothing is held back here."""
        return False

    def release(self, batch_id: str) -> bool:
        """There is nothing to forget."""
        return True

    def close(self) -> None:
        """There is no connection."""


class Unwritten(Run):
    """A deliverer that decides and claims as always, and writes no letter to anybody."""

    def pack(self, consignment: Consignment) -> Batch:
        """The claimed messages without their words: nobody is going to read them."""
        parcels = [Parcel(m.id, m.attempt, m.origin, m.address, {}) for m in consignment.messages]
        return Batch(consignment.batch_id, NO_LETTER, self.sender, parcels, self.at)


def noons(start: datetime, until: datetime) -> Iterator[datetime]:
    """The start, then each noon of the district before `until`."""
    yield start
    zone = ZoneInfo(DISTRICT_ZONE)
    day = start.astimezone(zone).date()
    while True:
        moment = datetime.combine(day, NOON, tzinfo=zone).astimezone(start.tzinfo)
        if moment >= until:
            return
        if moment > start:
            yield moment
        day += timedelta(days=1)


def live(
    app: Flask, session: Session, start: datetime, until: datetime, readers: Readers,
    each: Callable[[int, datetime], None],
) -> None:  # fmt: skip
    """Live from `start` up to `until`, a day at a time; `each` is told the day's number before it.

    Within a day, mail also goes at the later hours for which the send policy put it off.
    """
    moments = [*noons(start, until), until]
    calendar = Calendar()
    for number, (at, after) in enumerate(pairwise(moments)):
        each(number, at)
        with clock.at(at):
            readers.act(session, at)
            calendar.turn(session, at)
            advance(at)
        hand_over(app, session, at, after, readers)


def hand_over(
    app: Flask, session: Session, at: datetime, after: datetime, readers: Readers
) -> None:
    """Hand over what is due at a moment, and what falls due before the next one at its hour."""
    moment: datetime | None = at
    while moment is not None:
        with clock.at(moment):
            deliver(app, session, moment)
            readers.read(session, moment)
        moment = _next_hour(session, moment, after)


def deliver(app: Flask, session: Session, at: datetime) -> DeliveryReport:
    """Decide about everything due and take what may go as accepted."""
    report = DeliveryReport()
    run = Unwritten(session, Nowhere(), at, report, app)
    while run.round():
        pass
    return report


def _next_hour(session: Session, at: datetime, after: datetime) -> datetime | None:
    """The full hour at which the next message put off falls due, if that is before `after`."""
    waits = Message.state == MessageState.QUEUED, Message.not_before > at
    first = session.scalar(select(func.min(Message.not_before)).where(*waits))
    session.commit()
    if first is None:
        return None
    hour = first.replace(minute=0, second=0, microsecond=0)
    hour += HOUR if hour < first else timedelta(0)
    return hour if at < hour < after else None
