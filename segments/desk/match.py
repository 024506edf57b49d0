"""Who could help with a request, in what order and why; and why the others cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM, Viewer
from segments.asks.eligibility import (
    Need,
    first_obstacle,
    helpers,
    need_of,
    sort_in_memory,
    suitable_dates,
)
from segments.asks.models import Ask
from segments.asks.service import Pick
from segments.desk.ranking import ranked
from segments.desk.words import reasons
from segments.requests.models import Request
from segments.targeting.service import base_rate, live_model, score_people

RESCORED = 200


@dataclass(frozen=True)
class Candidate:
    """Somebody who may be asked. `dates` are the ids of the date choices that suit."""

    alumnus_id: int
    name: str
    class_year: int | None
    rank: int
    probability: float
    value: float
    dates: tuple[int, ...]
    reasons: tuple[str, ...]
    chosen_by: str = "rank"
    propensity: float = 1.0

    def pick(self) -> Pick:
        """What the ask keeps of how it was decided."""
        return Pick(
            alumnus_id=self.alumnus_id, rank=self.rank, probability=self.probability,
            propensity=self.propensity, chosen_by=self.chosen_by, reasons=self.reasons,
        )  # fmt: skip


@dataclass(frozen=True)
class Match:
    """The best candidates in order, how many there are, and how many cannot be asked, by reason."""

    candidates: tuple[Candidate, ...]
    eligible: int
    ineligible: Mapping[str, int]
    need: Need


def match(
    session: Session,
    request: Request,
    *,
    at: datetime,
    limit: int = 20,
    explore: int = 0,
    viewer: Viewer = SYSTEM,
) -> Match:
    """The `limit` best candidates among those the viewer may know of, in one statement.

    `explore` more are drawn from the rest, each with its chance of being drawn, so that people whom
    the rank would never reach are heard of too. Where a model is live, the best are scored afresh.
    """
    need = need_of(session, request, at)
    model = live_model(session, request.way_key) is not None
    sort_in_memory(session)
    taken = max(limit, RESCORED) if model and not explore else limit
    rows = session.execute(_statement(session, need, viewer, limit=taken, explore=explore)).all()
    eligible = int(rows[0].eligible)
    counted = {str(key): int(n) for key, n in (rows[0].ineligible or {}).items()}
    if others := int(rows[0].others):
        counted["way_not_offered"] = others
    rest = max(1, eligible - limit)
    share = explore / rest
    found = [
        _candidate(row, need, propensity=share if explore and row.rank > limit else None)
        for row in rows
        if row.id is not None
    ]
    if model:
        found = _scored_afresh(session, request, found, at=at)
    ineligible = dict(sorted(counted.items(), key=lambda item: -item[1]))
    return Match(tuple(found[: limit + explore]), eligible, ineligible, need)


def _statement(
    session: Session, need: Need, viewer: Viewer, *, limit: int, explore: int
) -> Select[Any]:
    """Candidates with the counts beside each; one row without a candidate where there is none."""
    request = need.request
    pool = helpers(request.way_key).cte("pool")
    judged = (
        select(Alumnus.id, first_obstacle(need, offered=True).label("obstacle"))
        .join(pool, pool.c.alumnus_id == Alumnus.id)
        .where(visible_alumni(viewer))
        .cte("judged")
        .prefix_with("materialized")
    )
    everybody = select(func.count()).where(visible_alumni(viewer)).select_from(Alumnus)
    by_reason = (
        select(judged.c.obstacle, func.count().label("n"))
        .where(judged.c.obstacle.is_not(None))
        .group_by(judged.c.obstacle)
        .subquery("by_reason")
    )
    counts = select(
        select(func.count()).where(judged.c.obstacle.is_(None)).scalar_subquery().label("eligible"),
        (
            everybody.scalar_subquery()
            - select(func.count()).select_from(judged).scalar_subquery()
        ).label("others"),
        select(func.jsonb_object_agg(by_reason.c.obstacle, by_reason.c.n, type_=JSONB))
        .scalar_subquery().label("ineligible"),
    ).subquery("counts")  # fmt: skip
    people = select(judged.c.id).where(judged.c.obstacle.is_(None)).cte("people")
    base = base_rate(session, request.way_key, need.at)
    everyone = ranked(session, need, people, base=base, wave=_next_wave(session, request))
    drawn = (
        select(everyone.c.id)
        .where(everyone.c.rank > limit)
        .order_by(everyone.c.turn)
        .limit(explore)
    )
    best = (
        select(
            everyone,
            Alumnus.given_name,
            Alumnus.preferred_name,
            Alumnus.family_name,
            suitable_dates(need).label("dates"),
        )
        .join(Alumnus, Alumnus.id == everyone.c.id)
        .where(or_(everyone.c.rank <= limit, everyone.c.id.in_(drawn)))
        .subquery("best")
    )
    return (
        select(counts, best)
        .select_from(counts)
        .outerjoin(best, literal(value=True))
        .order_by(best.c.rank)
    )


def _next_wave(session: Session, request: Request) -> int:
    last = session.scalar(select(func.max(Ask.wave)).where(Ask.request_id == request.id))
    return int(last or 0) + 1


def _candidate(row: Any, need: Need, *, propensity: float | None) -> Candidate:
    """A row as a candidate; `propensity` is the chance of being drawn of one who was."""
    drawn = propensity is not None
    why = reasons(row, need)
    if drawn:
        why.append(_("drawn to give others a turn"))
    name = f"{row.preferred_name or row.given_name} {row.family_name}".strip()
    return Candidate(
        alumnus_id=row.id, name=name, class_year=row.class_year, rank=row.rank,
        probability=round(float(row.chance), 4), value=float(row.value),
        dates=tuple(row.dates), reasons=tuple(why),
        chosen_by="explore" if drawn else "rank",
        propensity=1.0 if propensity is None else round(min(1.0, propensity), 6),
    )  # fmt: skip


def _scored_afresh(
    session: Session, request: Request, found: Sequence[Candidate], *, at: datetime
) -> list[Candidate]:
    """The shortlist with the live model's chances of this moment, ranked again."""
    ids = select(Alumnus.id).where(Alumnus.id.in_([c.alumnus_id for c in found]))
    scores = {s.alumnus_id: s for s in score_people(session, ids, way_key=request.way_key, at=at)}
    fresh = []
    for candidate in found:
        chance = scores[candidate.alumnus_id].probability
        value = candidate.value / max(candidate.probability, 1e-6) * chance
        fresh.append(replace(candidate, probability=round(chance, 4), value=value))
    best = [c for c in fresh if c.chosen_by == "rank"]
    best.sort(key=lambda c: -c.value)
    numbered = [replace(c, rank=n) for n, c in enumerate(best, 1)]
    return numbered + [c for c in fresh if c.chosen_by != "rank"]
