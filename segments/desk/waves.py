"""Whom to ask next and how many: the smallest wave that suffices, a few drawn from the rest.

`planning.py` has the formula; here it meets the people of a request and the district's choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Interval, select, type_coerce
from sqlalchemy.orm import Session

from crm.core.district import chosen
from crm.core.viewer import SYSTEM, Viewer
from segments.asks.models import Ask, AskState
from segments.asks.queries import places_left
from segments.desk.choices import Asking
from segments.desk.match import Candidate, Match, candidates, match
from segments.desk.planning import (
    Circle,
    Plan,
    circle_of,
    holds_ahead,
    outlook,
    usual_share,
    wave_size,
)
from segments.desk.pool import Ranked
from segments.requests.models import Request

SHOWN = 30
CONSIDERED = 200
"""Of the ranked, the best so many are planned with."""
LATEST, STRENGTH = 500, 20
"""How many yeses tell how fast people answer, and how many the usual delay counts for."""


@dataclass(frozen=True)
class Timing:
    """The holds that still fit before the date, and what share of yeses comes within each."""

    holds: tuple[timedelta, ...]
    within: tuple[float, ...]

    @property
    def days(self) -> tuple[float, ...]:
        """The lengths of the holds."""
        return tuple(hold / timedelta(days=1) for hold in self.holds)


@dataclass(frozen=True)
class Wave:
    """Which rows to ask, in order, how many of them (the last) were drawn and with what chance.

    `turns` is how many were to be drawn, which may be more than there are.
    """

    rows: tuple[int, ...]
    drawn: int
    turns: int
    propensity: float
    circle: Circle
    plan: Plan


@dataclass(frozen=True)
class Suggestion:
    """Who could be asked, those among them to ask next, and what may be expected of it."""

    match: Match
    chosen: tuple[Candidate, ...]
    circle: Circle
    plan: Plan


def explored(size: int, seed: str, *, share: float) -> int:
    """How many of a wave are drawn: its share on average, decided by the seed and not by luck."""
    whole, part = divmod(size * share, 1)
    draw = int(hashlib.sha256(seed.encode()).hexdigest()[:12], 16) / 16**12
    return int(whole) + (draw < part)


def paces(session: Session, way_key: str, at: datetime) -> list[timedelta]:
    """How long the latest yeses to a way took."""
    latest = (
        select(type_coerce(Ask.answered_at - Ask.asked_at, Interval()))
        .where(
            Ask.way_key == way_key, Ask.state == AskState.ACCEPTED, Ask.asked_at < at,
            Ask.answered_at <= at,
        )
        .order_by(Ask.asked_at.desc())
        .limit(LATEST)
    )  # fmt: skip
    return list(session.scalars(latest))


def timing(paces: Sequence[timedelta], at: datetime, starts: Sequence[datetime]) -> Timing:
    """The waves that still fit, with how fast people answered such asks so far."""
    holds = holds_ahead(at, starts)
    share = {
        hold: (sum(took <= hold for took in paces) + STRENGTH * usual_share(hold))
        / (len(paces) + STRENGTH)
        for hold in set(holds)
    }
    return Timing(holds, tuple(share[hold] for hold in holds))


def plan_wave(
    found: Ranked, places: int, time: Timing, asking: Asking, *, seed: str, size: int | None = None
) -> Wave:
    """The next wave of a request among its ranked people; `size` tries another than the best."""
    considered = found.order[:CONSIDERED]
    within, target = time.within, asking.target
    circle = Circle.DISTRICT
    if asking.near_first:
        near = {c: considered[found.fit.within(c)[considered]] for c in Circle}
        circles = {c: found.chance[rows].tolist() for c, rows in near.items()}
        circle = circle_of(circles, places, within, target)
    inside = considered[found.fit.within(circle)[considered]]
    rows, chances = inside.tolist(), found.chance[inside].tolist()
    if size is None:
        size = wave_size(chances, places, within, target)
    size = min(size, len(rows))
    turns = explored(size, seed, share=asking.explore) if len(found.order) > size else 0
    best = rows[: size - turns]
    lots, share = found.drawn(turns, found.people.ids[best].tolist())
    plan = outlook(chances, places, within, time.days, size, target=target)
    return Wave((*best, *lots), len(lots), turns, share, circle, plan)


def suggest(
    session: Session,
    request: Request,
    *,
    at: datetime,
    viewer: Viewer = SYSTEM,
    wave: int = 1,
    asking: Asking | None = None,
    size: int | None = None,
    counted: bool = True,
) -> Suggestion:
    """The candidates to look at, those among them to ask next, and what comes of it.

    `wave` is the number of the coming wave; it seeds the draw. `asking` and `size` are for trying
    out other values than the district's and the best.
    """
    asking = asking or chosen(session, Asking)
    best = match(
        session, request, at=at, limit=SHOWN, viewer=viewer, wave=wave, fair=asking.fairness,
        counted=counted,
    )  # fmt: skip
    places = places_left(session, request)
    pace = paces(session, request.way_key, at)
    time = timing(pace, at, [choice.starts_at for choice in best.need.dates])
    seed = f"{request.id}:{wave}"
    planned = plan_wave(best.ranked, places, time, asking, seed=seed, size=size)
    picked = picked_of(session, best, planned)
    known = {c.alumnus_id for c in picked}
    others = tuple(c for c in best.candidates if c.alumnus_id not in known)
    shown = replace(best, candidates=(*picked, *others))
    return Suggestion(shown, picked, planned.circle, planned.plan)


def picked_of(session: Session, found: Match, wave: Wave) -> tuple[Candidate, ...]:
    """The people of a wave, the best first, then those drawn."""
    cut = len(wave.rows) - wave.drawn
    best = candidates(session, found.need, found.ranked, wave.rows[:cut])
    if not wave.drawn:
        return tuple(best)
    share = wave.propensity
    lots = candidates(session, found.need, found.ranked, wave.rows[cut:], drawn=share)
    return (*best, *lots)
