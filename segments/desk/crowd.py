"""Everybody who could help with some requests, read once for all of them.

For a request these are the people who help in its way, whom the viewer may know of, and who are
cleared for one of its dates; whether anything else stands in the way is asked of the best alone
(`pool.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from crm.core.viewer import Viewer
from segments.asks.eligibility import Need, helping
from segments.clearance.models import Clearance
from segments.clearance.queries import counts_for
from segments.desk.people import People, live_scores, load_people, recall, related
from segments.desk.ranking import Want
from segments.requests.models import RequestDate
from segments.targeting.matrices import read_matrix


def load_crowd(
    session: Session,
    needs: Sequence[Need],
    wants: Sequence[Want],
    viewer: Viewer,
    *,
    upto: datetime | None = None,
) -> Mapping[str, People]:
    """By way to help, what is known of all whom one of the needs of that way could ask.

    Of a single need that is its pool; of several of one way everybody cleared for something like
    them, of whom `Held.cleared` tells who belongs to which. Their history comes up to
    a moment, if one is given, and else is left to `recall`.
    """
    by_way: dict[str, list[Need]] = {}
    for need in needs:
        by_way.setdefault(need.request.way_key, []).append(need)
    people = [members(way, of_way).subquery() for way, of_way in by_way.items()]
    parts = [select(literal(n).label("way"), *part.c) for n, part in enumerate(people)]
    rows = read_matrix(session, parts[0] if len(parts) == 1 else union_all(*parts))
    everybody = load_people(session, np.unique(rows[:, 1].astype(np.int64)), viewer)
    near = {school for want in wants for school in want.cluster | want.own}
    keys = {need.request.subject_key for need in needs if need.request.subject_key}
    everybody = related(session, everybody, near, keys)
    if upto is not None:
        recall(session, everybody, np.arange(len(everybody)), upto)
    scores = live_scores(session, everybody.ids, list(by_way))
    rows = rows[np.isin(rows[:, 1], everybody.ids)]
    found = {}
    for n, way in enumerate(by_way):
        mine = rows[rows[:, 0] == n]
        mine = mine[np.argsort(mine[:, 1], kind="stable")]
        place = everybody.rows_of(mine[:, 1].astype(np.int64))
        found[way] = everybody.take(place).helping(mine[:, 2] > 0, scores[way][place])
    return found


def members(way_key: str, needs: Sequence[Need]) -> Select[Any]:
    """(`alumnus_id`, 1 for whoever offers it) of all who help in a way and may be cleared."""
    people = helping(way_key).subquery()
    who = people.c.alumnus_id
    return select(who, func.max(people.c.offers)).where(_gate(who, needs)).group_by(who)


def _gate(who: Any, needs: Sequence[Need]) -> ColumnElement[bool]:
    """Whom clearance lets through: exactly for one need, nobody left out of several."""
    days = [(need, day_of(need, choice)) for need in needs for choice in need.dates]
    if not days:
        return false()
    if any(need.level == 0 for need, _day in days):
        return true()
    if len({need.request.id for need, _day in days}) == 1:
        worth = or_(*(counts_for(n.level, day, n.request.school_id) for n, day in days))
    else:
        first, last = min(day for _, day in days), max(day for _, day in days)
        worth = and_(
            Clearance.level >= min(need.level for need, _day in days),
            Clearance.granted_on <= last, Clearance.expires_on > first,
        )  # fmt: skip
    passes: ColumnElement[bool] = who.in_(select(Clearance.alumnus_id).where(worth))
    if any(need.ready is not None and day >= need.ready for need, day in days):
        revoked = select(Clearance.alumnus_id).where(Clearance.revoked_on.is_not(None))
        return or_(passes, who.not_in(revoked))
    return passes


def day_of(need: Need, choice: RequestDate) -> date:
    """The day of a date choice, where the school is."""
    return choice.starts_at.astimezone(need.zone).date()
