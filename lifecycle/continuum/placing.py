"""The continuum's rule as one SELECT over sets of people: gaps and islands, window sums.

All moments inside are timestamps in UTC without a zone, so that a day is 24 hours whatever the
session's time zone; the last step turns them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Interval,
    Select,
    and_,
    any_,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, distinct_on
from sqlalchemy.sql.elements import FrameClause, FrameClauseType

from crm.alumni.models import Alumnus
from crm.core.database import id_array
from crm.interactions.models import Interaction
from lifecycle.continuum.definition import (
    FIRST_YEAR,
    GRADUATION,
    LAST_YEAR,
    UNKNOWN,
    Continuum,
    Rule,
)

Moment = ColumnElement[datetime]
PLACE = ("phase", "phase_since", "stage", "stage_since", "next_at", "stage_next_at")


def utc(moment: Any) -> Moment:
    """A zoned moment as a plain timestamp in UTC."""
    return func.timezone("UTC", moment, type_=DateTime())


def zoned(moment: Any) -> Moment:
    """A plain UTC timestamp as a zoned moment again."""
    return func.timezone("UTC", moment, type_=DateTime(timezone=True))


def plain(at: datetime) -> ColumnElement[Any]:
    """The moment worked at, as a plain UTC timestamp."""
    return literal(at.astimezone(UTC).replace(tzinfo=None), DateTime())


def days(number: int) -> ColumnElement[timedelta]:
    """So many days as an interval."""
    return literal(timedelta(days=number), Interval())


def anchored() -> ColumnElement[Any]:
    """The date that phases count from, as a column over `Alumnus` (see `rule.anchor`)."""
    year = extract("year", Alumnus.graduated_on)
    return case(
        (year.between(FIRST_YEAR, LAST_YEAR), Alumnus.graduated_on),
        (
            Alumnus.class_year.between(FIRST_YEAR, LAST_YEAR),
            func.make_date(Alumnus.class_year, *GRADUATION, type_=Date()),
        ),
        else_=null(),
    )


def phase_columns(
    day: ColumnElement[Any], created: ColumnElement[Any], at: datetime, ladder: Continuum
) -> tuple[ColumnElement[str], Moment, Moment]:
    """The phase, since when, and when the next one begins, from the anchor date."""
    now = plain(at)
    begins = {
        p.key: cast(day + func.make_interval(p.from_year), DateTime()) for p in ladder.phases[1:]
    }
    keys = [p.key for p in ladder.phases[1:]]
    reached = [(begins[key] <= now, key) for key in reversed(keys)]
    phase: ColumnElement[str] = case(
        (day.is_(None), literal(UNKNOWN)),
        *((condition, literal(key)) for condition, key in reached),
        else_=literal(ladder.phases[0].key),
    )
    since = case(*((condition, begins[key]) for condition, key in reached), else_=created)
    following = case(*((begins[key] > now, begins[key]) for key in keys), else_=null())
    return phase, since, following


def people(ids: Sequence[int], at: datetime, ladder: Continuum) -> CTE:
    """The people among `ids` who are on the continuum, with their phase; merged ones are not."""
    day = anchored().label("day")
    known = (
        select(Alumnus.id, utc(Alumnus.created_at).label("created"), day)
        .where(Alumnus.id == any_(id_array(ids)), Alumnus.merged_into_id.is_(None))
        .cte("known")
    )
    phase, since, following = phase_columns(known.c.day, known.c.created, at, ladder)
    return select(
        known.c.id.label("alumnus_id"),
        known.c.created,
        known.c.day,
        phase.label("phase"),
        since.label("phase_since"),
        following.label("phase_next"),
    ).cte("people")


def _occasions(ids: Sequence[int], at: datetime) -> CTE:
    moment = utc(Interaction.occurred_at)
    return (
        select(Interaction.alumnus_id, Interaction.mode, func.min(moment).label("moment"))
        .where(
            Interaction.alumnus_id == any_(id_array(ids)),
            Interaction.machine.is_(False),
            Interaction.occurred_at <= at,
        )
        .group_by(Interaction.alumnus_id, Interaction.mode, cast(moment, Date))
        .cte("occasion")
    )


def _counting(rule: Rule, occasion: CTE, ladder: Continuum) -> Select[Any]:
    """The occasions that count for a stage, with the points behind each and the gap before it."""
    worth = case(
        {mode.value: points for mode, points in ladder.points.items()}, value=occasion.c.mode
    )
    frame = FrameClause(
        timedelta(days=rule.within_days), None, FrameClauseType.PRECEDING, FrameClauseType.CURRENT
    )
    one, moment = occasion.c.alumnus_id, occasion.c.moment
    previous = func.lag(moment).over(partition_by=one, order_by=moment)
    points = func.sum(worth).over(partition_by=one, order_by=moment, range_=frame)
    number = func.count().over(partition_by=one, order_by=moment, range_=frame)
    return select(
        literal(rule.rank, Integer).label("rank"),
        occasion.c.alumnus_id,
        occasion.c.moment,
        points.label("points"),
        number.label("occasions"),
        and_(points >= rule.points, number >= rule.occasions).label("risen"),
        case((occasion.c.moment - previous >= days(rule.keep_days), 1), else_=0).label("broken"),
    ).where(occasion.c.mode.in_(rule.counts))


def stage_holds(ids: Sequence[int], at: datetime, ladder: Continuum) -> CTE:
    """Every stretch in which somebody kept a stage: start, last occasion, end, rise's facts."""
    occasion = _occasions(ids, at)
    counted = union_all(*(_counting(r, occasion, ladder) for r in ladder.rules)).cte("counted")
    island = func.sum(counted.c.broken).over(
        partition_by=(counted.c.rank, counted.c.alumnus_id),
        order_by=counted.c.moment,
    )
    chained = select(counted, island.label("island")).cte("chained")
    c = chained.c
    keep = case({r.rank: days(r.keep_days) for r in ladder.rules}, value=c.rank)

    def at_rise(column: ColumnElement[Any]) -> ColumnElement[Any]:
        ordered = aggregate_order_by(column, c.moment)
        return func.array_agg(ordered, type_=ARRAY(Integer)).filter(c.risen)[1]

    return (
        select(
            c.rank,
            c.alumnus_id,
            func.min(c.moment).filter(c.risen).label("starts"),
            func.max(c.moment).label("last"),
            (func.max(c.moment) + keep).label("ends"),
            at_rise(c.points).label("points"),
            at_rise(c.occasions).label("occasions"),
        )
        .group_by(c.rank, c.alumnus_id, c.island)
        .having(func.bool_or(c.risen))
        .cte("hold")
    )


def future(ids: Sequence[int], at: datetime) -> CTE:
    """When the next interaction that is recorded ahead of its time begins to count."""
    return (
        select(Interaction.alumnus_id, func.min(utc(Interaction.occurred_at)).label("moment"))
        .where(
            Interaction.alumnus_id == any_(id_array(ids)),
            Interaction.machine.is_(False),
            Interaction.occurred_at > at,
        )
        .group_by(Interaction.alumnus_id)
        .cte("future")
    )


def placed(who: CTE, hold: CTE, ahead: CTE, at: datetime, ladder: Continuum) -> Select[Any]:
    """Everybody's place at the moment, with the facts of the stage they keep."""
    best = (
        select(hold)
        .where(hold.c.ends > plain(at))
        .ext(distinct_on(hold.c.alumnus_id))
        .order_by(hold.c.alumnus_id, hold.c.rank.desc())
        .cte("best")
    )
    over = (
        select(hold.c.alumnus_id, func.max(hold.c.ends).label("ends"))
        .outerjoin(best, best.c.alumnus_id == hold.c.alumnus_id)
        .where(hold.c.rank > func.coalesce(best.c.rank, 0))
        .group_by(hold.c.alumnus_id)
        .cte("over")
    )
    keys = {rank: literal(stage.key) for rank, stage in enumerate(ladder.stages)}
    stage_next = func.least(best.c.ends, ahead.c.moment)
    since = func.coalesce(func.greatest(best.c.starts, over.c.ends), who.c.created)
    return (
        select(
            who.c.alumnus_id,
            who.c.day,
            who.c.phase,
            zoned(who.c.phase_since).label("phase_since"),
            func.coalesce(best.c.rank, 0).label("rank"),
            case(keys, value=func.coalesce(best.c.rank, 0)).label("stage"),
            zoned(since).label("stage_since"),
            zoned(func.least(who.c.phase_next, stage_next)).label("next_at"),
            zoned(stage_next).label("stage_next_at"),
            best.c.starts,
            best.c.points,
            best.c.occasions,
        )
        .select_from(who)
        .outerjoin(best, best.c.alumnus_id == who.c.alumnus_id)
        .outerjoin(over, over.c.alumnus_id == who.c.alumnus_id)
        .outerjoin(ahead, ahead.c.alumnus_id == who.c.alumnus_id)
    )
