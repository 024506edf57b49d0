"""Open requests solved together: a wave for each, so that no two want one person and all gain most.

Who may be asked for a way, and what the rank looks at, is read once for all requests of that way;
each request then ranks them, and asks of its best alone whether anything of its own stands in the
way (asked before, clearance, another promise). What `assignment.py` decides are proposals:
`send_wave` looks again at every obstacle in the statement that writes the asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core.district import chosen
from crm.core.viewer import SYSTEM
from segments.asks.eligibility import (
    Need,
    need_of,
    person_obstacles,
    request_obstacles,
)
from segments.asks.models import Commitment
from segments.asks.queries import KEPT, places_left
from segments.asks.service import Pick
from segments.desk.assignment import Wish, assign
from segments.desk.choices import Asking
from segments.desk.match import candidates, next_wave
from segments.desk.people import Ids, Numbers, People, load_people
from segments.desk.pool import ENOUGH, Ranked, clear_of, prepare, shortlisted, unhindered
from segments.desk.ranking import chance, fairness
from segments.desk.waves import Timing, Wave, plan_wave, timing
from segments.requests.models import Request, RequestState
from segments.targeting.service import base_rate, chances_now

OUTSIDE = 0.25
"""What somebody beyond the circle counts, should those within be wanted elsewhere."""
YEAR = timedelta(days=365)
STRENGTH, LEAST, MOST = 3, 0.5, 2.0


@dataclass(frozen=True)
class Proposal:
    """Whom to ask next for one request; without anybody left to ask it is `exhausted`."""

    request_id: int
    picks: tuple[Pick, ...]
    exhausted: bool


@dataclass(frozen=True)
class _Pool:
    """Those who may be asked for a way at all, and what holds for each whatever the request."""

    people: People
    likely: Numbers
    fair: Numbers


@dataclass(frozen=True)
class _Case:
    """One request on its way to an answer: who of its best may be asked, and in what order."""

    need: Need
    ranked: Ranked
    number: int


@dataclass
class _Shared:
    """What requests have in common, read once."""

    session: Session
    at: datetime
    asking: Asking
    pools: dict[tuple[str, date], _Pool] = field(default_factory=dict)
    times: dict[tuple[str, tuple[datetime, ...]], Timing] = field(default_factory=dict)

    def pool(self, need: Need) -> _Pool:
        """The people of a request's way."""
        way, today = need.request.way_key, self.at.astimezone(need.zone).date()
        if (way, today) not in self.pools:
            self.pools[way, today] = _pool(self.session, need, today, self.asking)
        return self.pools[way, today]

    def timing(self, need: Need) -> Timing:
        """The waves that still fit before a request's last date."""
        way, starts = need.request.way_key, tuple(choice.starts_at for choice in need.dates)
        if (way, starts) not in self.times:
            self.times[way, starts] = timing(self.session, way, self.at, starts)
        return self.times[way, starts]


def propose(session: Session, requests: Sequence[Request], *, at: datetime) -> list[Proposal]:
    """The next wave of each of these requests, solved together; in the order given."""
    prepare(session)
    shared = _Shared(session, at, chosen(session, Asking))
    cases = [_case(shared, need_of(session, request, at)) for request in requests]
    cases = _rescored(session, cases, at)
    waves = [_wave(shared, case) for case in cases]
    weights = school_weights(session, at)
    asked = assign(
        [
            _wish(session, case, wave, weights.get(case.need.request.school_id, 1.0))
            for case, wave in zip(cases, waves, strict=True)
        ]
    )
    taken = {person for people in asked.values() for person in people}
    return [
        _proposal(session, case, wave, asked[case.need.request.id], taken)
        for case, wave in zip(cases, waves, strict=True)
    ]


def _pool(session: Session, need: Need, today: date, asking: Asking) -> _Pool:
    way, at = need.request.way_key, need.at
    stops = person_obstacles(
        way, today=today, at=at, margin_years=need.margin_years, care=need.care
    )
    who = unhindered(need, SYSTEM, stops)
    people = load_people(session, who, way_key=way, at=at)
    likely = chance(people, base=base_rate(session, way, at))
    return _Pool(people, likely, fairness(people, at) ** asking.fairness)


def _case(shared: _Shared, need: Need) -> _Case:
    """The best of a request who may be asked for it, and some by draw."""
    session, pool = shared.session, shared.pool(need)
    number = next_wave(session, need.request)
    ranked = shortlisted(
        session, need, pool.people, pool.likely, pool.fair, wave=number, enough=ENOUGH,
        stops=[clear_of(stop) for stop in request_obstacles(need).values()],
    )  # fmt: skip
    return _Case(need, ranked, number)


def _rescored(session: Session, cases: Sequence[_Case], at: datetime) -> list[_Case]:
    """The cases with the live model's chances of this moment, one question a way."""
    by_way: dict[str, list[_Case]] = {}
    for case in cases:
        by_way.setdefault(case.need.request.way_key, []).append(case)
    fresh: dict[str, tuple[Ids, Numbers]] = {}
    for way, of_way in by_way.items():
        ids = np.unique(np.concatenate([case.ranked.shortlist(ENOUGH) for case in of_way]))
        now = chances_now(session, ids.tolist(), way_key=way, at=at)
        if now is not None:
            fresh[way] = ids, now
    return [
        replace(case, ranked=case.ranked.rescored(*fresh[way])) if (
            way := case.need.request.way_key
        ) in fresh else case
        for case in cases
    ]  # fmt: skip


def _wave(shared: _Shared, case: _Case) -> Wave:
    request = case.need.request
    return plan_wave(
        case.ranked, places_left(shared.session, request), shared.timing(case.need),
        shared.asking, seed=f"{request.id}:{case.number}",
    )  # fmt: skip


def _wish(session: Session, case: _Case, wave: Wave, weight: float) -> Wish:
    """The best so many, those within the circle first; others count a quarter."""
    ranked, circle = case.ranked, wave.circle
    rows = ranked.order[:ENOUGH]
    inside = ranked.fit.within(circle)[rows]
    rows = np.concatenate([rows[inside], rows[~inside]])
    worth = ranked.value[rows] * np.where(ranked.fit.within(circle)[rows], 1.0, OUTSIDE)
    places = places_left(session, case.need.request)
    return Wish(
        case.need.request.id, len(wave.rows) - wave.drawn, places, ranked.people.ids[rows], worth,
        ranked.chance[rows], weight,
    )  # fmt: skip


def _proposal(
    session: Session, case: _Case, wave: Wave, people: Sequence[int], taken: set[int]
) -> Proposal:
    """The people of a request, the best first, then those drawn whom nobody else asks."""
    ranked = case.ranked
    rows = ranked.people.rows_of(np.array(people, dtype=np.int64)).tolist()
    picks = [c.pick() for c in candidates(session, case.need, ranked, rows)]
    lots = [
        row for row in ranked.turns.tolist() if int(ranked.people.ids[row]) not in taken
    ][: wave.drawn]  # fmt: skip
    taken.update(int(ranked.people.ids[row]) for row in lots)
    drawn = candidates(session, case.need, ranked, lots, drawn=wave.propensity)
    picks += [c.pick() for c in drawn]
    return Proposal(case.need.request.id, tuple(picks), not len(ranked.people))


def school_weights(session: Session, at: datetime) -> Mapping[int, float]:
    """What the requests of each school count: 1 as usual, up to 2 where fewer were filled.

    The rate of places filled among those that a school asked for in the last year, shrunk to the
    district's as if three more places had shown it, against the district's.
    """
    taken = (
        select(func.count())
        .where(Commitment.request_id == Request.id, Commitment.state.in_(KEPT))
        .scalar_subquery()
    )
    ended = (
        RequestState.FILLED, RequestState.DONE, RequestState.THANKED, RequestState.UNFILLED,
    )  # fmt: skip
    kept = func.sum(func.least(taken, Request.places))
    rows = session.execute(
        select(Request.school_id, func.sum(Request.places), kept)
        .where(Request.state.in_(ended), Request.created_at > at - YEAR, Request.created_at <= at)
        .group_by(Request.school_id)
    ).all()  # fmt: skip
    places, filled = sum(int(row[1]) for row in rows), sum(int(row[2]) for row in rows)
    if not filled:
        return {}
    rate = filled / places
    shrunk = {r[0]: (int(r[2]) + STRENGTH * rate) / (int(r[1]) + STRENGTH) for r in rows}
    return {school: min(MOST, max(LEAST, rate / own)) for school, own in shrunk.items()}
