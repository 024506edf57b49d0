"""What keeps people from one request and not from another, read once for many requests.

Clearance, promises at the time, having been asked already, a mentor's pupils: the twin in arrays of
`segments.asks.eligibility.request_obstacles`, which `send_wave` asks again in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Date, case, func, literal, or_, select
from sqlalchemy.orm import Session

from crm.core.database import among
from segments.asks.eligibility import Need
from segments.asks.models import PROMISED, Ask, Commitment
from segments.clearance.models import Clearance
from segments.desk.crowd import day_of
from segments.desk.people import Flags, Ids, Numbers
from segments.mentoring.models import MentorCapacity, MentorPair, PairState
from segments.requests.models import Request, RequestDate
from segments.targeting.matrices import read_matrix

START = date(1970, 1, 1)


@dataclass(frozen=True)
class Held:
    """Tables with a row of numbers each, the person first: an id, or of `among` a row.

    `grants`: level, first day, expiry, revoked (NaN: not), school (NaN: any); days since 1970.
    `promises`: start and end in seconds since 1970, and the place of the way in `ways` (-1: none
    of them). `asked`: the request. `pupils`: how many a mentor has now. `capacity`: how many a
    mentor takes by their own word. `people` is how many rows there are.
    """

    grants: Numbers
    promises: Numbers
    asked: Numbers
    pupils: Numbers
    capacity: Numbers
    ways: tuple[str, ...]
    people: int = 0

    def among(self, ids: Ids) -> Held:
        """The same of these people (ascending ids), each by their row."""
        return Held(
            _rows(ids, self.grants), _rows(ids, self.promises), _rows(ids, self.asked),
            _rows(ids, self.pupils), _rows(ids, self.capacity), self.ways, len(ids),
        )  # fmt: skip

    def cleared(self, need: Need) -> Flags:
        """Whether each is cleared for one of the dates, or could be by then."""
        return self._any_date(need, lambda choice: self._cleared(need, choice))

    def free(self, need: Need) -> Flags:
        """Whether nothing of this request's own stands in the way of each."""
        fine = self._any_date(need, lambda c: self._cleared(need, c) & ~self._busy(c))
        fine &= ~self._flags(self.asked[self.asked[:, 1] == need.request.id, 0])
        return fine if need.mentees is None else fine & ~self._full(need)

    def _any_date(self, need: Need, suits: Callable[[RequestDate], Flags]) -> Flags:
        found = np.zeros(self.people, dtype=bool)
        for choice in need.dates:
            found |= suits(choice)
        return found

    def _cleared(self, need: Need, choice: RequestDate) -> Flags:
        day = day_of(need, choice)
        if need.level == 0:
            return np.ones(self.people, dtype=bool)
        who, level, granted, expires, revoked, school = self.grants.T
        n = (day - START).days
        worth = (level >= need.level) & (granted <= n) & (expires > n) & ~(revoked <= n)
        worth &= np.isnan(school) | (school == need.request.school_id)
        found = self._flags(who[worth])
        if need.ready is not None and day >= need.ready:
            found |= ~self._flags(who[~np.isnan(revoked)])
        return found

    def _busy(self, choice: RequestDate) -> Flags:
        who, starts, ends, _way = self.promises.T
        there = (starts < choice.ends_at.timestamp()) & (ends > choice.starts_at.timestamp())
        return self._flags(who[there])

    def _full(self, need: Need) -> Flags:
        """For mentoring: the pupils that a mentor has, and has promised to take, are enough."""
        load, most = np.zeros(self.people), np.full(self.people, float(need.mentees or 0))
        load[self.pupils[:, 0].astype(np.int64)] = self.pupils[:, 1]
        same = self.promises[:, 3] == self.ways.index(need.request.way_key)
        np.add.at(load, self.promises[same, 0].astype(np.int64), 1.0)
        most[self.capacity[:, 0].astype(np.int64)] = self.capacity[:, 1]
        return load >= most

    def _flags(self, who: Numbers) -> Flags:
        found = np.zeros(self.people, dtype=bool)
        found[who.astype(np.int64)] = True
        return found


def _rows(ids: Ids, table: Numbers) -> Numbers:
    """The lines of a table that are of these people, with their rows in place of ids."""
    if not len(ids):
        return table[:0]
    place = np.searchsorted(ids, table[:, 0]).clip(max=len(ids) - 1)
    mine = ids[place] == table[:, 0]
    return np.column_stack([place[mine], table[mine, 1:]])


def load_held(session: Session, needs: Sequence[Need]) -> Held:
    """What there is for these needs; a fixed number of statements."""
    days = [day_of(need, choice) for need in needs for choice in need.dates]
    ways = tuple(dict.fromkeys(need.request.way_key for need in needs))
    way = case(*((Request.way_key == key, literal(n)) for n, key in enumerate(ways)), else_=-1)
    c, p = Clearance, Commitment
    grants = select(
        c.alumnus_id, c.level, *map(_days, (c.granted_on, c.expires_on, c.revoked_on)), c.school_id
    ).where(or_(c.expires_on > min(days, default=START), c.revoked_on.is_not(None)))
    moments = [func.extract("epoch", moment) for moment in (p.starts_at, p.ends_at)]
    promises = (
        select(p.alumnus_id, *moments, way)
        .join(Request, Request.id == p.request_id)
        .where(p.state.in_(PROMISED))
    )
    pupils = select(MentorPair.alumnus_id, func.count()).group_by(MentorPair.alumnus_id)
    mine = among(Ask.request_id, [need.request.id for need in needs])
    asked = session.execute(select(Ask.alumnus_id, Ask.request_id).where(mine)).all()
    return Held(
        grants=read_matrix(session, grants), promises=read_matrix(session, promises),
        asked=np.array([tuple(row) for row in asked], dtype=np.float64).reshape(-1, 2),
        pupils=read_matrix(session, pupils.where(MentorPair.state == PairState.ACTIVE)),
        capacity=read_matrix(session, select(MentorCapacity.alumnus_id, MentorCapacity.most)),
        ways=ways,
    )  # fmt: skip


def _days(day: Any) -> Any:
    return day - literal(START, Date)
