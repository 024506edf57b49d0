"""Of everybody who helps in a way, the best for a request whom nothing stands in the way of.

Everybody is ranked by numbers first; whether anything stands in the way (law 6) is asked of the
best alone, until there are enough: of a million people that is some hundred and not a district.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import ColumnElement, UnaryExpression, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import among
from segments.asks.eligibility import Need, obstacles
from segments.desk.people import Flags, Ids, Numbers, People
from segments.desk.ranking import Draws, Fit, draw, lot, order_of

LOOKED_AT, ENOUGH, DRAWN_FROM = 400, 200, 100
"""Of the ranked the best so many are looked at first; so many who may be asked are enough; and
lots are drawn among the first so many of the draw."""
LOTS = 20
"""So many of the first drawn are scored afresh with the best."""
READ_AT_ONCE = 5
"""The history of so many times the people looked for is read at once."""
Clear = Callable[[Ids], Flags]
"""Of people by ascending ids: whether nothing stands in the way of asking them."""


@dataclass
class Pool:
    """Everybody who comes into question for a request, ranked by numbers alone; rows by id.

    `turn` orders those of equal value, `lot` those who are given a turn; `lots` are the rows of
    whom is drawn. Of rows that are not `known` the history is not read yet, and fairness and value
    stand at the most that they can be; `learn` reads it and answers their fairness.
    """

    people: People
    fit: Fit
    chance: Numbers
    fairness: Numbers
    turn: Draws
    lot: Draws
    lots: Ids
    known: Flags
    learn: Callable[[Ids], Numbers] | None = None

    def __post_init__(self) -> None:
        self.value = self.fit.value * self.chance * self.fairness

    def know(self, rows: Ids) -> None:
        """Read what is not known yet of these rows."""
        new = rows[~self.known[rows]]
        if len(new) and self.learn is not None:
            self.fairness[new] = self.learn(new)
            self.value[new] = self.fit.value[new] * self.chance[new] * self.fairness[new]
            self.known[new] = True

    def best(self, most: int) -> Ids:
        """The rows of the best so many by value, then by their turn; in no order.

        Nobody is worth more than they stand at, so that once everything is known of those who stand
        highest, they are the best (the threshold algorithm: R. Fagin, A. Lotem and M. Naor, Optimal
        aggregation algorithms for middleware, J. Computer and System Sciences 66, 2003, 614-656).
        """
        while not self.known[rows := self._highest(most)].all():
            self.know(np.union1d(self._highest(READ_AT_ONCE * most), self.lots))
        return rows

    def _highest(self, most: int) -> Ids:
        if most >= len(self.value):
            return np.arange(len(self.value))
        cut = -np.partition(-self.value, most - 1)[most - 1]
        above, same = np.flatnonzero(self.value > cut), np.flatnonzero(self.value == cut)
        return np.concatenate([above, same[_first(self.turn[same], most - len(above))]])

    def first_look(self) -> Ids:
        """The rows of whom is looked at first in any case: the best, and those drawn."""
        return np.union1d(self.best(LOOKED_AT), self.lots)


@dataclass(frozen=True)
class Ranked:
    """Of those who may be asked for a request the best, and those drawn: arrays with a row each.

    `order` are the rows from the best on (exact for as many as were wanted) and `turns` those from
    the first drawn on. `eligible` is how many may be asked in all, estimated from those drawn.
    `pool` are the ids of all that came into question and `looked` of those of them who were drawn
    and looked at, whether or not they may be asked; both ascend.
    """

    people: People
    fit: Fit
    chance: Numbers
    fairness: Numbers
    value: Numbers
    order: Ids
    turns: Ids
    eligible: int
    pool: Ids
    looked: Ids

    def shortlist(self, most: int) -> Ids:
        """The ids, ascending, of the best so many and of the first drawn."""
        return np.unique(self.people.ids[np.concatenate([self.order[:most], self.turns[:LOTS]])])

    def rescored(self, ids: Ids, chances: Numbers, most: int) -> Ranked:
        """With other chances for these people (ascending ids, more than are here do no harm).

        The best `most`, who must be among them, change their order; nobody comes in from behind.
        """
        here = np.isin(self.people.ids, ids)
        likely = self.chance.copy()
        likely[here] = chances[np.searchsorted(ids, self.people.ids[here])]
        value = self.fit.value * likely * self.fairness
        best = self.order[:most]
        again = best[np.argsort(-value[best], kind="stable")]
        order = np.concatenate([again, self.order[most:]])
        return replace(self, chance=likely, value=value, order=order)

    def drawn(self, most: int, without: Collection[int]) -> tuple[list[int], float]:
        """The first so many by draw of all but some people: rows, and the chance that each had.

        A sample in two phases (C.-E. Särndal, B. Swensson and J. Wretman, Model Assisted Survey
        Sampling, 1992, sections 9.2 and 9.3): of the pool less those people n of N are looked at, a
        simple random sample, and of the m of them who may be asked k are taken in the order of the
        same draw. The chance is n/N · k/m, the product of the two; weights of one over it add up to
        the truth on average, whatever the share of the pool that may be asked.
        """
        out = np.array(sorted(without), dtype=np.int64)
        free = self.turns[~np.isin(self.people.ids[self.turns], out)]
        taken = free[:most].tolist()
        if not taken:
            return [], 0.0
        looked = len(self.looked) - int(np.isin(out, self.looked).sum())
        pool = len(self.pool) - int(np.isin(out, self.pool).sum())
        return taken, looked / pool * len(taken) / len(free)


def prepare(session: Session) -> None:
    """Memory for sorts over everybody, and reads by index that cost what they do today."""
    local = {"work_mem": "64MB", "random_page_cost": "1.1"}
    session.execute(select(*(func.set_config(*pair, True) for pair in local.items())))


def may_be_asked(need: Need) -> list[ColumnElement[bool]]:
    """That nothing stands in the way of asking a person who helps in the request's way."""
    stops = obstacles(need)
    del stops["way_not_offered"]
    return [clear_of(stop) for stop in stops.values()]


def clear_in(session: Session, stops: Sequence[ColumnElement[bool]]) -> Clear:
    """Asks the database whether all of `stops` hold of a person."""

    def clear(ids: Ids) -> Flags:
        found = select(Alumnus.id).where(among(Alumnus.id, ids.tolist()), *stops)
        return np.isin(ids, np.array(session.scalars(found).all(), dtype=np.int64))

    return clear


def pool_of(
    people: People, suits: Fit, likely: Numbers, fair: Numbers | Callable[[Ids], Numbers], *,
    request_id: int, wave: int,
) -> Pool:  # fmt: skip
    """People ranked by numbers, and who of them is drawn; `fair` may be what answers it of rows."""
    lots, everybody = lot(people.ids, request_id, wave), len(people)
    known = not callable(fair)
    return Pool(
        people, suits, likely, np.ones(everybody) if callable(fair) else fair,
        draw(people.ids, request_id, wave), lots,
        _first(lots, everybody if everybody <= LOOKED_AT else DRAWN_FROM),
        np.full(everybody, known), fair if callable(fair) else None,
    )  # fmt: skip


def shortlisted(pool: Pool, clear: Clear, enough: int = ENOUGH) -> Ranked:
    """The best of a pool who may be asked, at least `enough` if there are, and some by draw.

    Whether anything stands in the way is asked of the best alone and of those drawn, so often until
    there are enough. How many may be asked in all is estimated from the draw; where the pool is no
    larger than what is looked at, it is exact.
    """
    rows = _askable(pool, clear, enough)
    pool.know(rows)
    people = pool.people
    passed = np.flatnonzero(np.isin(rows, pool.lots))
    turns = passed[np.argsort(pool.lot[rows[passed]], kind="stable")]
    share = len(passed) / max(1, len(pool.lots))
    return Ranked(
        people.take(rows), pool.fit.take(rows), pool.chance[rows], pool.fairness[rows],
        pool.value[rows], order_of(pool.value[rows], pool.turn[rows]), turns,
        max(round(len(people) * share), len(rows)), people.ids, np.sort(people.ids[pool.lots]),
    )  # fmt: skip


def _first(keys: Draws, most: int) -> Ids:
    """The rows of the smallest keys, in no order."""
    if most >= len(keys):
        return np.arange(len(keys))
    return np.argpartition(keys, most)[:most].astype(np.int64)


def _askable(pool: Pool, clear: Clear, enough: int) -> Ids:
    """Rows, ascending, of the best and of those drawn whom nothing stands in the way of.

    If `enough` of the best are among them they are the very best: who was not looked at is worth
    less than each of those who were.
    """
    ids, looked = pool.people.ids, LOOKED_AT
    while True:
        best = pool.best(looked)
        rows = np.union1d(best, pool.lots)
        fine = rows[clear(ids[rows])]
        if looked >= len(ids) or np.isin(fine, best).sum() >= enough:
            return fine
        looked *= 4


def clear_of(stop: ColumnElement[bool]) -> ColumnElement[bool]:
    """That an obstacle does not stand. What exists or not is never null, and plans join by it."""
    return ~stop if isinstance(stop, UnaryExpression) else stop.is_not(True)
