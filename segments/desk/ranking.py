"""The rank of a candidate: fit × chance of a yes × fairness, as SQL over whom nothing stops.

Each factor lies in (0, 1]. The chance is the live model's where targeting keeps scores; until then
it is the shipped prior, a logistic model on the percentile ranks of recency and frequency of giving
time (`docs/targeting.md`: these weights hardly move between organisations). `chance` is the one
place to change when another model should decide.
"""

from __future__ import annotations

from datetime import timedelta
from math import log
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import CTE, LateralFromClause

from crm.alumni.models import Alumnus, Interest, InterestKind, Schooling, Subject
from crm.core.database import among
from crm.interactions.models import Interaction, Mode
from crm.schools.lineage import with_predecessors
from crm.schools.models import School
from segments.asks.eligibility import Need
from segments.asks.models import Ask, AskState
from segments.requests.models import Place
from segments.targeting.models import PropensityModel, Score

RECENCY, FREQUENCY = 1.8, 1.5
OTHER_SUBJECT, OTHER_LANGUAGE = 0.55, 0.4
CLUSTER, DISTRICT = 0.85, 0.7
UNKNOWN_PLACE, SAME_STATE, ELSEWHERE = 0.75, 0.6, 0.25
RESTED_LEAST, FULL_REST = 0.6, 365
EVERY_WAY = "*"


def facts(session: Session, need: Need, people: CTE) -> CTE:
    """What the rank looks at, a row for each of `people` (column `id`)."""
    request = need.request
    school = session.get_one(School, request.school_id)
    subject = session.get(Subject, request.subject_key) if request.subject_key else None
    deeds, asks = _history(need)
    own = with_predecessors(session, [school.id])
    inside = select(School.id).where(School.cluster_id == school.cluster_id)
    near = with_predecessors(session, session.scalars(inside)) if school.cluster_id else own
    return (
        select(
            Alumnus.id, Alumnus.class_year, Alumnus.city, Alumnus.field_of_work,
            deeds.c.deeds, deeds.c.deeds_year, deeds.c.last_deed,
            asks.c.asks, asks.c.asks_year, asks.c.yeses, asks.c.last_ask,
            _attended(among(Schooling.school_id, own)).label("own_school"),
            _attended(among(Schooling.school_id, near)).label("own_cluster"),
            _cares(request.subject_key).label("cares"), _works(subject).label("works"),
            _speaks(request.language).label("speaks"), _near(request.place, school).label("near"),
            _offers(request.way_key).label("offers"),
            _score(request.way_key).label("score"),
        )
        .join(people, people.c.id == Alumnus.id)
        .join(deeds, literal(value=True)).join(asks, literal(value=True))
        .cte("facts").prefix_with("materialized")
    )  # fmt: skip


def _history(need: Need) -> tuple[LateralFromClause, LateralFromClause]:
    """What each person did, and how often they were asked, up to the moment of the need."""
    year = need.at - timedelta(days=365)
    reached = and_(Ask.alumnus_id == Alumnus.id, Ask.state != AskState.CANCELLED)
    gave = and_(
        Interaction.alumnus_id == Alumnus.id, Interaction.mode == Mode.VOLUNTEER,
        Interaction.machine.is_(False), Interaction.occurred_at < need.at,
    )  # fmt: skip
    deeds = select(
        func.count().label("deeds"),
        func.count().filter(Interaction.occurred_at > year).label("deeds_year"),
        func.max(Interaction.occurred_at).label("last_deed"),
    ).where(gave).lateral("deeds")  # fmt: skip
    asks = select(
        func.count().label("asks"),
        func.count().filter(Ask.asked_at > year).label("asks_year"),
        func.count().filter(Ask.state == AskState.ACCEPTED).label("yeses"),
        func.max(Ask.asked_at).label("last_ask"),
    ).where(reached).lateral("asks")  # fmt: skip
    return deeds, asks


def _attended(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Schooling.alumnus_id == Alumnus.id, condition)


def _offers(way_key: str) -> ColumnElement[bool]:
    return exists().where(
        Interest.alumnus_id == Alumnus.id, Interest.kind == InterestKind.WAY,
        Interest.key == way_key,
    )  # fmt: skip


def _cares(subject_key: str | None) -> ColumnElement[bool]:
    return exists().where(
        Interest.alumnus_id == Alumnus.id, Interest.kind == InterestKind.SUBJECT,
        Interest.key == (subject_key or ""),
    )  # fmt: skip


def _works(subject: Subject | None) -> ColumnElement[bool]:
    names = [subject.key, subject.label.lower()] if subject else []
    return func.coalesce(func.lower(Alumnus.field_of_work).in_(names), literal(value=False))


def _speaks(language: str | None) -> ColumnElement[bool]:
    return literal(value=True) if language is None else Alumnus.language == language


def _near(place: Place, school: School) -> ColumnElement[str]:
    """How far the way is: video, town, state, elsewhere, or unknown."""
    if place is Place.VIRTUAL:
        return literal("video")
    same_town = func.lower(Alumnus.city) == (school.city or "").lower()
    same_code = func.left(Alumnus.postal_code, 5) == (school.postal_code or "none")[:5]
    known = func.coalesce(Alumnus.city, Alumnus.postal_code, Alumnus.state)
    return case(
        (same_town | same_code, "town"),
        (known.is_(None), "unknown"),
        (func.upper(Alumnus.state) == (school.state or "").upper(), "state"),
        (Alumnus.state.is_(None), "unknown"),
        else_="elsewhere",
    )


def _score(way_key: str) -> ColumnElement[Any]:
    """The live model's kept chance of a yes to this way, else to any; null without one."""
    return (
        select(Score.probability)
        .join(PropensityModel, PropensityModel.id == Score.model_id)
        .where(
            Score.alumnus_id == Alumnus.id, PropensityModel.live,
            Score.way_key.in_([way_key, EVERY_WAY]),
        )
        .order_by((Score.way_key == way_key).desc())
        .limit(1)
        .scalar_subquery()
    )  # fmt: skip


def chance(found: CTE, *, base: float) -> ColumnElement[float]:
    """The chance of a yes: the model's, else the prior around the rate of yeses so far."""
    recency = _mid_rank(found.c.last_deed.asc().nulls_first())
    frequency = _mid_rank((found.c.deeds + found.c.yeses).asc())
    slope = RECENCY * (recency - 0.5) + FREQUENCY * (frequency - 0.5)
    prior = 1 / (1 + func.exp(-(log(base / (1 - base)) + slope)))
    return func.coalesce(found.c.score, prior)


def _mid_rank(order: Any) -> ColumnElement[Any]:
    """The percentile rank from 0 to 1; those who are equal share the middle of their ranks."""
    return (
        func.percent_rank().over(order_by=order) + func.cume_dist().over(order_by=order)
    ) / 2.0  # fmt: skip


def fit(found: CTE, need: Need) -> ColumnElement[Any]:
    """How well the person suits the request: subject, tie to the school, language, way to go."""
    c = found.c
    suits = c.cares | c.works if need.request.subject_key else literal(value=True)
    subject = case((suits, 1.0), else_=OTHER_SUBJECT)
    tie = case((c.own_school, 1.0), (c.own_cluster, CLUSTER), else_=DISTRICT)
    language = case((c.speaks, 1.0), else_=OTHER_LANGUAGE)
    way_there = {
        "video": 1.0, "town": 1.0, "state": SAME_STATE, "elsewhere": ELSEWHERE,
        "unknown": UNKNOWN_PLACE,
    }  # fmt: skip
    return subject * tie * language * case(way_there, value=c.near, else_=ELSEWHERE)


def fairness(found: CTE, need: Need) -> ColumnElement[Any]:
    """Gives everybody a turn: those who rested longer and gave less of late come earlier."""
    c = found.c
    days = func.extract("epoch", literal(need.at) - c.last_ask) / 86400
    rest = func.least(1.0, RESTED_LEAST + (1 - RESTED_LEAST) * days / FULL_REST)
    load = (1 + 0.25 * c.asks_year) * (1 + 0.1 * c.deeds_year)
    return func.coalesce(rest, 1.0) / load


def ranked(session: Session, need: Need, people: CTE, *, base: float, wave: int) -> CTE:
    """Everybody with their rank, and `turn`: a draw that is the same whenever it is looked at."""
    found = facts(session, need, people)
    weighed: Select[Any] = select(
        found, chance(found, base=base).label("chance"), fit(found, need).label("fit"),
        fairness(found, need).label("fairness"),
    )  # fmt: skip
    w = weighed.cte("weighed")
    draw = func.md5(func.concat(need.request.id, ":", wave, ":", w.c.id))
    value = w.c.chance * w.c.fit * w.c.fairness
    return select(
        w, value.label("value"),
        func.row_number().over(order_by=(value.desc(), draw)).label("rank"),
        draw.label("turn"),
    ).cte("ranked")  # fmt: skip
