"""Of everybody who helps in a way, the best for a request whom nothing stands in the way of.

Everybody is ranked by numbers first; whether anything stands in the way (law 6) is asked of the
best alone, until there are enough: of a million people that is some hundred and not a district.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import ColumnElement, Select, UnaryExpression, false, select, text, union
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.viewer import Viewer
from segments.asks.eligibility import (
    Need,
    cleared_for,
    helpers,
    obstacles,
    sort_in_memory,
)
from segments.desk.people import Ids, Numbers, People
from segments.desk.ranking import Fit, by_rank, draw, fit, order_of, want_of

LOOKED_AT, ENOUGH, DRAWN_FROM = 400, 60, 100
"""Of the ranked the best so many are looked at first; so many who may be asked are enough; and
lots are drawn among the first so many of the draw."""
LOTS = 20
"""So many of the first drawn are scored afresh with the best."""
PLAIN = ("deceased", "blocked", "do_not_contact")
"""Obstacles that a person's own row tells."""


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
