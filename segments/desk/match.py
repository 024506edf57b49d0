"""Who could help with a request, in what order and why; and why the others cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.district import chosen
from crm.core.viewer import SYSTEM, Viewer
from segments.asks.eligibility import (
    Need,
    first_obstacle,
    helpers,
    need_of,
    suitable_dates,
)
from segments.asks.service import Pick
from segments.desk.choices import Asking
from segments.desk.crowd import load_crowd
from segments.desk.people import Ids, Numbers, recall
from segments.desk.planning import Circle
from segments.desk.pool import (
    ENOUGH,
    Pool,
    Ranked,
    clear_in,
    may_be_asked,
    pool_of,
    prepare,
    shortlisted,
)
from segments.desk.queries import next_wave
from segments.desk.ranking import DISTANCES, chance, fairness, fit, wants_of
from segments.desk.words import reasons
from segments.requests.models import Request
from segments.targeting.service import base_rate, chances_now

RESCORED = 100


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
    fair = chosen(session, Asking).fairness if fair is None else fair
    pool = _pool(session, need, viewer, fair, wave or next_wave(session, request.id))
    found = shortlisted(pool, clear_in(session, may_be_asked(need)), max(limit, ENOUGH))
    most = max(limit, RESCORED)
    ids = found.shortlist(most)
    fresh = chances_now(session, ids.tolist(), way_key=request.way_key, at=need.at)
    if fresh is not None:
        found = found.rescored(ids, fresh, most)
    others = counted_obstacles(session, need, viewer) if counted else {}
    if counted:
        found = replace(found, eligible=others.pop("", 0))
    best = candidates(session, need, found, found.order[:limit].tolist())
    return Match(tuple(best), found.eligible, others, need, found)


def _pool(session: Session, need: Need, viewer: Viewer, fair: float, wave: int) -> Pool:
    """Everybody who comes into question; where the live model knows them all, only the history of
    those who stand highest is read."""
    way, at, want = need.request.way_key, need.at, wants_of(session, [need.request])
    people = load_crowd(session, [need], want, viewer)[way]
    turns: Numbers | Callable[[Ids], Numbers]
    if np.isnan(people.score).any():
        recall(session, people, np.arange(len(people)), at)
        likely, turns = (
            chance(people, base=base_rate(session, way, at)),
            fairness(people, at) ** fair,
        )
    else:
        likely = people.score

        def turns(rows: Ids) -> Numbers:
            recall(session, people, rows, at)
            return np.asarray(fairness(people.take(rows), at) ** fair)

    return pool_of(
        people, fit(people, *want), likely, turns, request_id=need.request.id, wave=wave
    )  # fmt: skip


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
    name = f"{person.preferred_name or person.given_name} {person.family_name}".strip()
    return Candidate(
        alumnus_id=person.id, name=name, class_year=person.class_year, rank=place,
        probability=round(float(found.chance[row]), 4), value=float(found.value[row]),
        dates=tuple(dates), reasons=_why(facts, need, drawn), fit=float(found.fit.value[row]),
        fairness=float(found.fairness[row]), circle=Circle(int(found.fit.circle[row])),
        facts=facts, chosen_by="rank" if drawn is None else "explore", propensity=_chance_of(drawn),
    )  # fmt: skip


def picks_of(
    need: Need, found: Ranked, rows: Sequence[int], *, drawn: float | None = None
) -> list[Pick]:
    """What asks to the people of these rows keep; nothing is read for it."""
    place = {row: n for n, row in enumerate(found.order.tolist(), 1)} if rows else {}
    return [
        Pick(
            alumnus_id=int(found.people.ids[row]), rank=place[row],
            probability=round(float(found.chance[row]), 4), propensity=_chance_of(drawn),
            chosen_by="rank" if drawn is None else "explore",
            reasons=_why(facts_of(found, row), need, drawn),
        )
        for row in rows
    ]  # fmt: skip


def _why(facts: Facts, need: Need, drawn: float | None) -> tuple[str, ...]:
    turn = [] if drawn is None else [_("drawn to give others a turn")]
    return (*reasons(facts, need), *turn)


def _chance_of(drawn: float | None) -> float:
    """The chance of being chosen that is kept: 1 unless they were drawn."""
    return 1.0 if drawn is None else float(f"{min(1.0, drawn):.6g}")


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
