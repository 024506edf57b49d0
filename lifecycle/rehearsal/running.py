"""Rehearses: copies the district, lives through the months some times over, and says what it saw.

Nothing is sent and nothing is written to what is real (`lifecycle.rehearsal.scratch`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.viewer import SYSTEM
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.continuum.definition import continuum
from lifecycle.engine.intake import follow_changes
from lifecycle.engine.report import AdvanceReport
from lifecycle.journeys import service as journeys
from lifecycle.journeys.models import Journey, JourneyState
from lifecycle.journeys.queries import load_journey
from lifecycle.rehearsal.behaviour import History
from lifecycle.rehearsal.calendar import tables_read
from lifecycle.rehearsal.days import Nobody, Readers, live
from lifecycle.rehearsal.gathering import Taken, gather, places
from lifecycle.rehearsal.history import measure
from lifecycle.rehearsal.people import People
from lifecycle.rehearsal.result import difference, result
from lifecycle.rehearsal.scratch import Sample, scratch, tend

DAYS = 365 / 12
TENDED = 30
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Order:
    """What is to be rehearsed: one journey or all that are live (None), or a `draft` in YAML.

    `people` is how many are drawn (None for all), `runs` how often the months are lived through,
    each time with other draws. With `fixed` nobody ever reacts, and one run says it all.
    """

    journey: str | None = None
    months: int = 12
    people: int | None = None
    runs: int = 3
    seed: int = 1
    draft: str | None = None
    fixed: bool = False

    @property
    def span(self) -> timedelta:
        """How long is lived through."""
        return timedelta(days=round(self.months * DAYS))


@dataclass(frozen=True)
class Rehearsed:
    """What came of it: the whole result, and who got the most mail in the first run."""

    result: dict[str, Any]
    most: tuple[tuple[int, int], ...]


def rehearse(app: Flask, order: Order, at: datetime, progress: Progress) -> Rehearsed:
    """Rehearse from a moment on; a draft beside what is live. `progress` gets a share of 1.

    Raises `Refused` for a draft that could not be published, `NotFound` for an unknown journey.
    """
    with app.app_context():
        if order.journey is not None and order.draft is None:
            load_journey(db.session(), order.journey)
        history = measure(db.session(), at)
        db.session.commit()
    key = order.journey
    if order.draft is None:
        taken, sample = _runs(app, order, key, None, history, at, progress)
        return Rehearsed(_said(order, taken, sample, history, at), taken[0].most)
    draft = order.draft
    with app.app_context():
        checked = journeys.check(db.session(), draft, name="draft", at=at)
        key = checked.document.journey
        db.session.rollback()
    now, sample = _runs(app, order, key, None, history, at, lambda p: progress(p / 2))
    then, _ = _runs(app, order, key, draft, history, at, lambda p: progress(0.5 + p / 2))
    told = _said(order, then, sample, history, at)
    told["live"] = _said(order, now, sample, history, at)
    told["difference"] = difference(told["live"], told)
    told["journey"] = told["live"]["journey"] = key
    return Rehearsed(told, then[0].most)


def _runs(
    app: Flask, order: Order, key: str | None, draft: str | None, history: History, at: datetime,
    progress: Progress,
) -> tuple[list[Taken], Sample]:  # fmt: skip
    """Live through the months as often as ordered."""
    runs = 1 if order.fixed else order.runs
    taken: list[Taken] = []
    sample = Sample(0, 0, 0)
    with app.app_context():
        read = tables_read(db.session(), draft, at)
    for number in range(runs):
        seed = order.seed + number
        with scratch(app, people=order.people, seed=seed, at=at, read=read) as drawn:
            sample = drawn
            readers: Readers = Nobody() if order.fixed else People(history, seed)
            share = progress_of(progress, number, runs)
            taken.append(_run(app, db.session(), order, key, draft, readers, at, share))
    return taken, sample


def progress_of(progress: Progress, number: int, runs: int) -> Progress:
    """The progress of one run as that of all of them."""
    return lambda share: progress((number + share) / runs)


def _run(
    app: Flask, session: Session, order: Order, key: str | None, draft: str | None,
    readers: Readers, at: datetime, progress: Progress,
) -> Taken:  # fmt: skip
    if key is not None:
        _alone(session, key)
    if draft is not None:
        journeys.publish(session, draft, name="draft", by=SYSTEM, at=at)
    session.commit()
    # Whatever waits to be followed is followed now, so that the map before it all is true.
    follow_changes(session, at, AdvanceReport())
    before = places(session)
    until = at + order.span
    if isinstance(readers, People):
        readers.begin(session, at, until)
    days = max(order.span.days, 1)

    tended = 0

    def each(number: int, _: datetime) -> None:
        nonlocal tended
        if number >= tended + TENDED:
            tended = number
            tend(session)
        progress(min(number / days, 1.0))

    live(app, session, at, until, readers, each)
    return gather(session, at, before, key)


def _alone(session: Session, key: str) -> None:
    """Leave one journey live and nothing else: the others and campaigns to come stand still."""
    others = update(Journey).where(Journey.key != key, Journey.state == JourneyState.LIVE)
    loose: dict[str, Any] = {"synchronize_session": False}
    session.execute(others.values(state=JourneyState.PAUSED), execution_options=loose)
    mine = update(Journey).where(Journey.key == key, Journey.live_version_id.is_not(None))
    session.execute(mine.values(state=JourneyState.LIVE), execution_options=loose)
    ahead = update(Campaign).where(Campaign.state == CampaignState.SCHEDULED)
    session.execute(ahead.values(state=CampaignState.DRAFT), execution_options=loose)


def _said(
    order: Order, taken: list[Taken], sample: Sample, history: History, at: datetime
) -> dict[str, Any]:
    span = order.span
    ladder = [stage.key for stage in continuum().stages]
    return {
        "journey": order.journey, "from": at.isoformat(), "until": (at + span).isoformat(),
        "months": order.months, "people": sample.people, "population": sample.population,
        "runs": len(taken), "behaviour": "fixed" if order.fixed else history.to_json(),
        **result(
            taken, weight=sample.weight, start=at, weeks=-(-span.days // 7), ladder=ladder
        ),
    }  # fmt: skip
