"""Who could help with a request, in what order and why; and why the others cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Select, UnaryExpression, false, func, select, text, union
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.district import chosen
from crm.core.viewer import SYSTEM, Viewer
from segments.asks.eligibility import (
    Need,
    cleared_for,
    first_obstacle,
    helpers,
    need_of,
    obstacles,
    sort_in_memory,
    suitable_dates,
)
from segments.asks.models import Ask
from segments.asks.service import Pick
from segments.desk.choices import Asking
from segments.desk.people import Ids, Numbers, People, load_people
from segments.desk.planning import Circle
from segments.desk.ranking import (
    DISTANCES,
    Fit,
    by_rank,
    chance,
    draw,
    fairness,
    fit,
    order_of,
    want_of,
)
from segments.desk.words import reasons
from segments.requests.models import Request
from segments.targeting.service import base_rate, chances_now

RESCORED = 100
LOOKED_AT, ENOUGH, DRAWN_FROM = 400, 60, 100
"""Of the ranked the best so many are looked at first; so many who may be asked are enough; and
lots are drawn among the first so many of the draw."""
LOTS = 20
"""So many of the first drawn are scored afresh with the best."""
PLAIN = ("deceased", "blocked", "do_not_contact")
"""Obstacles that a person's own row tells."""


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be asked. `dates` are the ids of the date choices that suit.

    `value` is `fit` × `probability` × `fairness`, each in (0, 1]; `facts` is what the rank looked
    at. `propensity` is the chance that they had of being chosen, 1 unless they were drawn.
    """

    alumnus_id: int
    name: str
    class_year: int | None
    rank: int
    probability: float
    value: float
    dates: tuple[int, ...]
    reasons: tuple[str, ...]
    fit: float = 1.0
    fairness: float = 1.0
    circle: Circle = Circle.DISTRICT
    facts: Facts | None = None
    chosen_by: str = "rank"
    propensity: float = 1.0

    def pick(self) -> Pick:
        """What the ask keeps of how it was decided."""
        return Pick(
            alumnus_id=self.alumnus_id, rank=self.rank, probability=self.probability,
            propensity=self.propensity, chosen_by=self.chosen_by, reasons=self.reasons,
        )  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What the rank looked at of one person, for words and columns of a page."""

    class_year: int | None
    own_school: bool
    own_cluster: bool
    works: bool
    cares: bool
    speaks: bool
    offers: bool
    near: str
    deeds: int
    deeds_year: int
    last_deed: datetime | None
    asks: int
    asks_year: int
    yeses: int
    last_ask: datetime | None


@dataclass(frozen=True)
class Ranked:
    """Everybody who may be asked for a request, ranked: arrays with a row each.

    `order` are the rows from the best on and `turns` those from the first drawn on. `eligible` is
    how many there are; of requests solved together only the best are here, and it is estimated.
    """

    people: People
    fit: Fit
    chance: Numbers
    fairness: Numbers
    value: Numbers
    order: Ids
    turns: Ids
    eligible: int

    def shortlist(self, most: int) -> Ids:
        """The ids, ascending, of the best so many and of the first drawn."""
        return np.unique(self.people.ids[np.concatenate([self.order[:most], self.turns[:LOTS]])])

    def rescored(self, ids: Ids, chances: Numbers) -> Ranked:
        """With other chances for these people (ascending ids, more than are here do no harm).

        The order changes among those that it began with and who are scored anew.
        """
        here = np.isin(self.people.ids, ids)
        likely = self.chance.copy()
        likely[here] = chances[np.searchsorted(ids, self.people.ids[here])]
        value = self.fit.value * likely * self.fairness
        fresh = here[self.order]
        end = len(fresh) if fresh.all() else int(np.argmin(fresh))
        best = self.order[:end]
        again = best[np.argsort(-value[best], kind="stable")]
        order = np.concatenate([again, self.order[end:]])
        return replace(self, chance=likely, value=value, order=order)


@dataclass(frozen=True)
class Match:
    """The best candidates in order, how many there are, and how many cannot be asked, by reason.

    `ranked` holds all of them, for whoever plans a wave.
    """

    candidates: tuple[Candidate, ...]
    eligible: int
    ineligible: Mapping[str, int]
    need: Need
    ranked: Ranked = field(repr=False)


def match(
    session: Session,
    request: Request,
    *,
    at: datetime,
    limit: int = 20,
    viewer: Viewer = SYSTEM,
    wave: int | None = None,
    fair: float | None = None,
    counted: bool = True,
) -> Match:
    """The `limit` best candidates among those the viewer may know of.

    Where a model is live, the best are scored afresh. `fair` is how much turns count (the
    district's choice without); the number of the coming `wave` seeds the draws. Without `counted`
    nobody asks why the others cannot be.
    """
    need = need_of(session, request, at)
    prepare(session)
    people = load_people(session, pool_of(need, viewer), way_key=request.way_key, at=at)
    fair_now = fairness(people, at) ** (chosen(session, Asking).fairness if fair is None else fair)
    likely = chance(people, base=base_rate(session, request.way_key, at))
    found = shortlisted(
        session, need, people, likely, fair_now, wave=wave or next_wave(session, request),
        stops=may_be_asked(need), enough=max(limit, ENOUGH),
    )  # fmt: skip
    ids = found.shortlist(max(limit, RESCORED))
    fresh = chances_now(session, ids.tolist(), way_key=request.way_key, at=need.at)
    if fresh is not None:
        found = found.rescored(ids, fresh)
    others = counted_obstacles(session, need, viewer) if counted else {}
    if counted:
        found = replace(found, eligible=others.pop("", 0))
    best = candidates(session, need, found, found.order[:limit].tolist())
    return Match(tuple(best), found.eligible, others, need, found)


def prepare(session: Session) -> None:
    """Memory for sorts over everybody, and reads by index that cost what they do today."""
    sort_in_memory(session)
    session.execute(text("set local random_page_cost = 1.1"))


def pool_of(need: Need, viewer: Viewer) -> Select[int]:
    """The ids of those who help in the request's way and are cleared for one of its dates.

    Each date is a statement of its own, so that it can be joined.
    """
    pool = helpers(need.request.way_key).subquery("pool")
    parts = [
        select(Alumnus.id)
        .join(pool, pool.c.alumnus_id == Alumnus.id)
        .where(visible_alumni(viewer), cleared_for(need, choice))
        for choice in need.dates
    ]
    if not parts:
        return select(Alumnus.id).where(false())
    return parts[0] if len(parts) == 1 else select(union(*parts).subquery("any_date").c.id)


def may_be_asked(need: Need) -> list[ColumnElement[bool]]:
    """That nothing stands in the way of asking a person who helps in the request's way."""
    stops = obstacles(need)
    del stops["way_not_offered"]
    return [clear_of(stop) for stop in stops.values()]


def shortlisted(
    session: Session, need: Need, people: People, likely: Numbers, fair: Numbers, *, wave: int,
    stops: Sequence[ColumnElement[bool]], enough: int,
) -> Ranked:  # fmt: skip
    """The best of a pool who may be asked, at least `enough` if there are, and some by draw.

    Everybody is ranked by numbers; whether anything stands in the way is asked of the best alone
    and of the first of the draw, so often until there are enough. How many may be asked in all is
    estimated from the draw; where the pool is no larger than what is looked at, it is exact.
    """
    suits, turn = fit(people, want_of(session, need)), draw(people.ids, need.request.id, wave)
    value = suits.value * likely * fair
    lots = _first(turn.astype(np.float64), DRAWN_FROM)
    rows = _askable(session, people.ids, by_rank(value, turn), lots, stops, enough)
    passed = np.flatnonzero(np.isin(rows, lots))
    turns = passed[np.argsort(turn[rows][passed], kind="stable")]
    share = len(passed) / max(1, len(lots))
    eligible = len(rows) if len(people) <= LOOKED_AT else round(len(people) * share)
    return Ranked(
        people.take(rows), suits.take(rows), likely[rows], fair[rows], value[rows],
        order_of(value[rows], turn[rows]), turns, max(eligible, len(rows)),
    )  # fmt: skip


def _first(keys: Numbers, most: int) -> Ids:
    """The rows of the smallest keys, in no order."""
    if most >= len(keys):
        return np.arange(len(keys))
    return np.argpartition(keys, most)[:most].astype(np.int64)


def _askable(
    session: Session, ids: Ids, keys: Numbers, lots: Ids, stops: Sequence[ColumnElement[bool]],
    enough: int,
) -> Ids:  # fmt: skip
    """Rows, ascending, of the best and of those drawn for whom all of `stops` holds."""
    looked = LOOKED_AT
    while True:
        best = _first(keys, looked)
        rows = np.union1d(best, lots)
        found = select(Alumnus.id).where(among(Alumnus.id, ids[rows].tolist()), *stops)
        fine = rows[np.isin(ids[rows], np.array(session.scalars(found).all(), dtype=np.int64))]
        if looked >= len(ids) or np.isin(fine, best).sum() >= enough:
            return fine
        looked *= 4


def unhindered(need: Need, viewer: Viewer, stops: Mapping[str, ColumnElement[bool]]) -> Select[int]:
    """The ids of those who help in the request's way and whom none of these obstacles stops.

    In three steps, since the planner takes so many conditions for ever fewer people than there are,
    and then asks of each one by one: what their own row tells; what can be joined; the rest.
    """
    pool = helpers(need.request.way_key).subquery("pool")
    plain = [clear_of(stops[word]) for word in PLAIN if word in stops]
    found = (
        select(Alumnus.id)
        .join(pool, pool.c.alumnus_id == Alumnus.id)
        .where(visible_alumni(viewer), *plain)
    )
    left = [stop for word, stop in stops.items() if word not in PLAIN]
    joined = [clear_of(stop) for stop in left if isinstance(stop, UnaryExpression)]
    others = [clear_of(stop) for stop in left if not isinstance(stop, UnaryExpression)]
    for n, conditions in enumerate((joined, others)):
        step = found.cte(f"step_{n}").prefix_with("materialized")
        found = select(Alumnus.id).join(step, step.c.id == Alumnus.id).where(*conditions)
    return found


def clear_of(stop: ColumnElement[bool]) -> ColumnElement[bool]:
    """That an obstacle does not stand. What exists or not is never null, and plans join by it."""
    return ~stop if isinstance(stop, UnaryExpression) else stop.is_not(True)


def candidates(
    session: Session, need: Need, found: Ranked, rows: Sequence[int], **how: Any
) -> list[Candidate]:
    """The people of these rows as a page shows them and an ask keeps them."""
    place = {row: n for n, row in enumerate(found.order.tolist(), 1)} if rows else {}
    ids = [int(found.people.ids[row]) for row in rows]
    named = select(Alumnus, suitable_dates(need)).where(among(Alumnus.id, ids))
    known = {person.id: (person, dates) for person, dates in session.execute(named)}
    return [
        _candidate(found, row, place[row], *known[alumnus_id], need=need, **how)
        for row, alumnus_id in zip(rows, ids, strict=True)
    ]


def _candidate(
    found: Ranked, row: int, place: int, person: Alumnus, dates: Sequence[int], *, need: Need,
    drawn: float | None = None,
) -> Candidate:  # fmt: skip
    """A row as a candidate; `drawn` is the chance of being drawn of one who was."""
    facts = facts_of(found, row)
    why = reasons(facts, need)
    if drawn is not None:
        why.append(_("drawn to give others a turn"))
    name = f"{person.preferred_name or person.given_name} {person.family_name}".strip()
    return Candidate(
        alumnus_id=person.id, name=name, class_year=person.class_year, rank=place,
        probability=round(float(found.chance[row]), 4), value=float(found.value[row]),
        dates=tuple(dates), reasons=tuple(why), fit=float(found.fit.value[row]),
        fairness=float(found.fairness[row]), circle=Circle(int(found.fit.circle[row])),
        facts=facts, chosen_by="rank" if drawn is None else "explore",
        propensity=1.0 if drawn is None else round(min(1.0, drawn), 6),
    )  # fmt: skip


def facts_of(found: Ranked, row: int) -> Facts:
    """What the rank looked at of one row."""
    people, suits = found.people, found.fit
    year = people.class_year[row]
    return Facts(
        class_year=None if np.isnan(year) else int(year),
        own_school=bool(suits.circle[row] == Circle.SCHOOL),
        own_cluster=bool(suits.circle[row] <= Circle.CLUSTER), works=bool(suits.works[row]),
        cares=bool(suits.cares[row]), speaks=bool(suits.speaks[row]),
        offers=bool(people.offers[row]), near=DISTANCES[int(suits.distance[row])],
        deeds=int(people.deeds[row]), deeds_year=int(people.deeds_year[row]),
        last_deed=_moment(people.last_deed[row]), asks=int(people.asks[row]),
        asks_year=int(people.asks_year[row]), yeses=int(people.yeses[row]),
        last_ask=_moment(people.last_ask[row]),
    )  # fmt: skip


def _moment(seconds: float) -> datetime | None:
    return None if np.isnan(seconds) else datetime.fromtimestamp(float(seconds), UTC)


def counted_obstacles(session: Session, need: Need, viewer: Viewer) -> dict[str, int]:
    """How many of those the viewer may know of cannot be asked, by the first reason.

    Those who can stand under the empty word.
    """
    pool = helpers(need.request.way_key).cte("pool")
    judged = (
        select(first_obstacle(need, offered=True).label("obstacle"))
        .select_from(Alumnus)
        .join(pool, pool.c.alumnus_id == Alumnus.id)
        .where(visible_alumni(viewer))
        .cte("judged")
    )
    by_reason = select(judged.c.obstacle, func.count()).group_by(judged.c.obstacle)
    counts: dict[Any, int] = dict(session.execute(by_reason).all())
    everybody = select(func.count()).where(visible_alumni(viewer)).select_from(Alumnus)
    others = session.scalars(everybody).one() - sum(counts.values())
    counts[""] = counts.pop(None, 0)
    if others:
        counts["way_not_offered"] = others
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def next_wave(session: Session, request: Request) -> int:
    """The number of the coming wave."""
    last = session.scalar(select(func.max(Ask.wave)).where(Ask.request_id == request.id))
    return int(last or 0) + 1
