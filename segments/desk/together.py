"""Open requests solved together: a wave for each, so that no two want one person and all gain most.

Who comes into question, and what the rank looks at, is read once for all requests; each request
then ranks its own as it would by itself, and of its best alone is asked whether anything stands in
the way, once a way for what does so whatever the request. What `assignment.py` decides are
proposals: `send_wave` looks again at every obstacle in the statement that writes the asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core.district import chosen
from crm.core.viewer import SYSTEM
from segments.asks.eligibility import Need, needs_of, person_obstacles
from segments.asks.models import Commitment
from segments.asks.queries import KEPT, coming_waves, places_left_of
from segments.asks.service import Pick
from segments.desk.assignment import Wish, assign
from segments.desk.choices import Asking
from segments.desk.crowd import load_crowd
from segments.desk.held import load_held
from segments.desk.match import picks_of
from segments.desk.people import Flags, Ids, Numbers
from segments.desk.pool import Pool, Ranked, clear_in, clear_of, pool_of, prepare, shortlisted
from segments.desk.ranking import chance, fairness, fit, wants_of
from segments.desk.waves import Timing, Wave, paces, plan_wave, timing
from segments.requests.models import Request, RequestState
from segments.targeting.service import base_rate, chances_now

WANTED = 60
"""So many of the best of each request stand for assignment, scored afresh."""
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
class _Case:
    """One request on its way to an answer: who of its best may be asked, and in what order."""

    need: Need
    ranked: Ranked
    places: int
    number: int


def propose(session: Session, requests: Sequence[Request], *, at: datetime) -> list[Proposal]:
    """The next wave of each of these requests, solved together; in the order given."""
    if not requests:
        return []
    prepare(session)
    asking, weights = chosen(session, Asking), school_weights(session, at)
    cases = _rescored(session, _cases(session, requests, asking, at), at)
    waves = _waves(session, cases, asking, at)
    asked = assign(
        [
            _wish(case, wave, weights.get(case.need.request.school_id, 1.0))
            for case, wave in zip(cases, waves, strict=True)
        ]
    )
    taken = {person for people in asked.values() for person in people}
    return [
        _proposal(case, wave, asked[case.need.request.id], taken)
        for case, wave in zip(cases, waves, strict=True)
    ]


def _cases(
    session: Session, requests: Sequence[Request], asking: Asking, at: datetime
) -> list[_Case]:
    """The best of each request who may be asked for it, and some by draw.

    Everybody is read once for all requests; what stands in the way of a person whatever the request
    is asked once a way, of all whom one of its requests looks at.
    """
    needs, wants = needs_of(session, requests, at), wants_of(session, requests)
    keys = [request.id for request in requests]
    places, numbers = places_left_of(session, requests), coming_waves(session, keys)
    crowd = load_crowd(session, needs, wants, SYSTEM, upto=at)
    held = load_held(session, needs)
    mine = {way: held.among(people.ids) for way, people in crowd.items()}
    pools = {}
    for way, people in crowd.items():
        base, fair = base_rate(session, way, at), fairness(people, at) ** asking.fairness
        for need, want in zip(needs, wants, strict=True):
            if need.request.way_key == way:
                rows = np.flatnonzero(mine[way].cleared(need))
                some = people.take(rows)
                pools[need.request.id] = pool_of(
                    some, fit(some, want), chance(some, base=base), fair[rows],
                    request_id=need.request.id, wave=numbers[need.request.id],
                )  # fmt: skip
    found = {}
    for (way, _day), of_way in _by_way(needs, at).items():
        known = _Known(session, crowd[way].ids, of_way, at)
        known.ask(np.concatenate([_looked_at(pools[need.request.id]) for need in of_way]))
        for need in of_way:
            key = need.request.id
            clear = partial(_unhindered, known, mine[way].free(need))
            found[key] = _Case(need, shortlisted(pools[key], clear), places[key], numbers[key])
    return [found[key] for key in keys]


def _looked_at(pool: Pool) -> Ids:
    return pool.people.ids[pool.first_look()]


def _by_way(needs: Sequence[Need], at: datetime) -> Mapping[tuple[str, date], list[Need]]:
    """The needs that share what stands in the way of a person whatever the request."""
    found: dict[tuple[str, date], list[Need]] = {}
    for need in needs:
        today = at.astimezone(need.zone).date()
        found.setdefault((need.request.way_key, today), []).append(need)
    return found


class _Known:
    """Of whom nothing stands in the way of asking them for a way, asked once of each person."""

    def __init__(self, session: Session, ids: Ids, needs: Sequence[Need], at: datetime) -> None:
        need = needs[0]
        stops = person_obstacles(
            need.request.way_key, today=at.astimezone(need.zone).date(), at=at,
            margin_years=need.margin_years, care=need.care,
        )  # fmt: skip
        self._clear = clear_in(session, [clear_of(stop) for stop in stops.values()])
        self.ids = ids
        self._asked, self._fine = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)

    def ask(self, ids: Ids) -> Ids:
        """The rows of these people, of whom it is known then."""
        rows = np.searchsorted(self.ids, ids)
        new = np.unique(rows[~self._asked[rows]])
        if len(new):
            self._fine[new], self._asked[new] = self._clear(self.ids[new]), True
        return rows

    def fine(self, rows: Ids) -> Flags:
        """Of rows that were asked about."""
        return self._fine[rows]


def _unhindered(known: _Known, free: Flags, ids: Ids) -> Flags:
    rows = known.ask(ids)
    return known.fine(rows) & free[rows]


def _rescored(session: Session, cases: Sequence[_Case], at: datetime) -> list[_Case]:
    """The cases with the live model's chances of this moment, one question a way."""
    by_way: dict[str, list[_Case]] = {}
    for case in cases:
        by_way.setdefault(case.need.request.way_key, []).append(case)
    fresh: dict[str, tuple[Ids, Numbers]] = {}
    for way, of_way in by_way.items():
        ids = np.unique(np.concatenate([case.ranked.shortlist(WANTED) for case in of_way]))
        now = chances_now(session, ids.tolist(), way_key=way, at=at)
        if now is not None:
            fresh[way] = ids, now
    return [
        replace(case, ranked=case.ranked.rescored(*fresh[way], WANTED)) if (
            way := case.need.request.way_key
        ) in fresh else case
        for case in cases
    ]  # fmt: skip


def _waves(session: Session, cases: Sequence[_Case], asking: Asking, at: datetime) -> list[Wave]:
    """How many to ask now for each request, and how near."""
    pace = {way: paces(session, way, at) for way in {c.need.request.way_key for c in cases}}
    times: dict[tuple[str, tuple[datetime, ...]], Timing] = {}
    found = []
    for case in cases:
        request, starts = case.need.request, tuple(d.starts_at for d in case.need.dates)
        time = times.get((request.way_key, starts)) or timing(pace[request.way_key], at, starts)
        times[request.way_key, starts] = time
        seed = f"{request.id}:{case.number}"
        found.append(plan_wave(case.ranked, case.places, time, asking, seed=seed))
    return found


def _wish(case: _Case, wave: Wave, weight: float) -> Wish:
    """The best so many, those within the circle first; others count a quarter."""
    ranked, circle = case.ranked, wave.circle
    rows = ranked.order[:WANTED]
    inside = ranked.fit.within(circle)[rows]
    rows = np.concatenate([rows[inside], rows[~inside]])
    worth = ranked.value[rows] * np.where(ranked.fit.within(circle)[rows], 1.0, OUTSIDE)
    return Wish(
        case.need.request.id, len(wave.rows) - wave.drawn, case.places, ranked.people.ids[rows],
        worth, ranked.chance[rows], weight,
    )  # fmt: skip


def _proposal(case: _Case, wave: Wave, people: Sequence[int], taken: set[int]) -> Proposal:
    """The people of a request, the best first, then those drawn whom nobody else asks."""
    need, ranked = case.need, case.ranked
    rows = ranked.people.rows_of(np.array(people, dtype=np.int64)).tolist()
    lots, share = ranked.drawn(wave.turns, taken)
    taken.update(ranked.people.ids[lots].tolist())
    picks = picks_of(need, ranked, rows) + picks_of(need, ranked, lots, drawn=share)
    return Proposal(need.request.id, tuple(picks), not len(ranked.people))


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
