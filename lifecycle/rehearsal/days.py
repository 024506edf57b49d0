"""Lives through days: what readers did, the tick, the mail; nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any, Protocol
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import Select, bindparam, column, func, select, true
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import UTCDateTime
from crm.mail.claim import Consignment
from crm.mail.delivery import DeliveryReport, Run
from crm.mail.letter import Letter
from crm.mail.models import Message, MessageState
from crm.mail.policy import DISTRICT_ZONE
from crm.mail.transport import Batch, Guarantee, Outcome, Parcel
from lifecycle.engine.service import advance
from lifecycle.journeys.models import (
    IS_WAITING,
    Enrollment,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.rehearsal.calendar import Calendar

NOON = time(12)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
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


def following(session: Session, at: datetime, until: datetime) -> datetime:
    """When to tick next: the hour at which the next person is due, at noon of the district at last.

    At most `until`, when it is all over.
    """
    zone = ZoneInfo(DISTRICT_ZONE)
    day = at.astimezone(zone).date()
    noons = (datetime.combine(day + n * DAY, NOON, tzinfo=zone) for n in (0, 1))
    latest = min(until, next(noon.astimezone(at.tzinfo) for noon in noons if noon > at))
    wakes = session.scalar(_first_wake(), {"after": at, "before": latest})
    return latest if wakes is None else min(_full_hour(wakes), latest)


@cache
def _first_wake() -> Select[Any]:
    """The first moment between two at which somebody is due: an index entry for each step."""
    numbers = func.generate_series(0, JourneyVersion.steps - 1)
    steps = numbers.table_valued(column("no")).render_derived(name="steps")
    after, before = (bindparam(name, type_=UTCDateTime()) for name in ("after", "before"))
    first = (
        select(Enrollment.wake_at)
        .where(
            Enrollment.version_id == JourneyVersion.id, Enrollment.step_no == steps.c.no,
            IS_WAITING, Enrollment.wake_at > after, Enrollment.wake_at < before,
        )
        .order_by(Enrollment.wake_at).limit(1).lateral("first")
    )  # fmt: skip
    found: Select[Any] = (
        select(func.min(first.c.wake_at))
        .select_from(JourneyVersion)
        .join(Journey, Journey.id == JourneyVersion.journey_id)
        .join(steps, true())
        .join(first, true())
        .where(Journey.state == JourneyState.LIVE)
    )
    return found


def _full_hour(moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour + HOUR if hour < moment else hour


def live(
    app: Flask, session: Session, start: datetime, until: datetime, readers: Readers,
    each: Callable[[int, datetime], None],
) -> None:  # fmt: skip
    """Live from `start` up to `until`; `each` is told before each tick how many days are over.

    Between two ticks mail also goes at the hours for which the send policy put it off.
    """
    at, calendar = start, Calendar()
    while at < until:
        each((at - start).days, at)
        with clock.at(at):
            readers.act(session, at)
            calendar.turn(session, at)
            advance(at)
        after = following(session, at, until)
        hand_over(app, session, at, after, readers)
        at = after


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
    hour = _full_hour(first)
    return hour if at < hour < after else None
