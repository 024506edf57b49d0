"""The continuum's rule as one SELECT over sets of people: gaps and islands, window sums.

All moments inside are timestamps in UTC without a zone, so that a day is 24 hours whatever the
session's time zone; the last step turns them back.
"""

from __future__ import annotations

from collections import defaultdict
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
    bindparam,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.elements import FrameClause, FrameClauseType

from crm.alumni.models import Alumnus
from crm.core.database import IdArray, UTCDateTime
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

AT = bindparam("at", type_=UTCDateTime())
NOW = bindparam("now", type_=DateTime())
"""The moment worked at, and the same as a plain timestamp in UTC."""
WHO = bindparam("who", type_=IdArray("bigint"))
"""The ids of the people worked on."""


def given(ids: Sequence[int], at: datetime) -> dict[str, Any]:
    """The values of the parameters in statements of this module, which are built once."""
    return {"who": list(ids), "at": at, "now": at.astimezone(UTC).replace(tzinfo=None)}


def utc(moment: Any) -> Moment:
    """A zoned moment as a plain timestamp in UTC."""
    return func.timezone("UTC", moment, type_=DateTime())


def zoned(moment: Any) -> Moment:
    """A plain UTC timestamp as a zoned moment again."""
    return func.timezone("UTC", moment, type_=DateTime(timezone=True))


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
    day: ColumnElement[Any], created: ColumnElement[Any], ladder: Continuum
) -> tuple[ColumnElement[str], Moment, Moment]:
    """The phase at `NOW`, since when, and when the next one begins, from the anchor date."""
    begins = {
        p.key: cast(day + func.make_interval(p.from_year), DateTime()) for p in ladder.phases[1:]
    }
    keys = [p.key for p in ladder.phases[1:]]
    reached = [(begins[key] <= NOW, key) for key in reversed(keys)]
    phase: ColumnElement[str] = case(
        (day.is_(None), literal(UNKNOWN)),
        *((condition, literal(key)) for condition, key in reached),
        else_=literal(ladder.phases[0].key),
    )
    since = case(*((condition, begins[key]) for condition, key in reached), else_=created)
    following = case(*((begins[key] > NOW, begins[key]) for key in keys), else_=null())
    return phase, since, following


def people(ladder: Continuum) -> CTE:
    """The people among `WHO` who are on the continuum, with their phase; merged ones are not."""
    day = anchored().label("day")
    known = (
        select(Alumnus.id, utc(Alumnus.created_at).label("created"), day)
        .where(Alumnus.id == any_(WHO), Alumnus.merged_into_id.is_(None))
        .cte("known")
    )
    phase, since, following = phase_columns(known.c.day, known.c.created, ladder)
    return select(
        known.c.id.label("alumnus_id"),
        known.c.created,
        known.c.day,
        phase.label("phase"),
        since.label("phase_since"),
        following.label("phase_next"),
    ).cte("people")


def occasions() -> CTE:
    """What counts at all: the first deed of a person in a mode on a day, up to `AT`."""
    moment = utc(Interaction.occurred_at)
    return (
        select(Interaction.alumnus_id, Interaction.mode, func.min(moment).label("moment"))
        .where(
            Interaction.alumnus_id == any_(WHO),
            Interaction.machine.is_(False),
            Interaction.occurred_at <= AT,
        )
        .group_by(Interaction.alumnus_id, Interaction.mode, cast(moment, Date))
        .cte("occasion")
    )


def worth(mode: ColumnElement[Any], ladder: Continuum) -> ColumnElement[int]:
    """The points of an occasion by its mode."""
    return case({mode.value: points for mode, points in ladder.points.items()}, value=mode)


def _chains(occasion: CTE, rules: Sequence[Rule], ladder: Continuum) -> CTE:
    """Unbroken chains of occasions of rules that count and keep alike: `last`, and each `starts`.

    A chain has a column `starts_RANK` for each rule: the first occasion that raised to its stage.
    """
    like, one, moment = rules[0], occasion.c.alumnus_id, occasion.c.moment
    previous = func.lag(moment).over(partition_by=one, order_by=moment)
    broken = case((moment - previous >= days(like.keep_days), 1), else_=0).label("broken")
    risen = [_risen(rule, occasion, ladder).label(f"risen_{rule.rank}") for rule in rules]
    counting = select(one, moment, broken, *risen).where(occasion.c.mode.in_(like.counts))
    walked = counting.subquery()
    island = func.sum(walked.c.broken).over(
        partition_by=walked.c.alumnus_id, order_by=walked.c.moment
    )
    chained = select(walked, island.label("island")).subquery()
    starts = [
        func.min(chained.c.moment).filter(chained.c[f"risen_{r.rank}"]).label(f"starts_{r.rank}")
        for r in rules
    ]
    return (
        select(chained.c.alumnus_id, func.max(chained.c.moment).label("last"), *starts)
        .group_by(chained.c.alumnus_id, chained.c.island)
        .cte(f"chain_{like.rank}")
    )


def _risen(rule: Rule, occasion: CTE, ladder: Continuum) -> ColumnElement[bool]:
    """Whether an occasion takes somebody up, by what came within the days before it."""
    if rule.occasions == 1 and rule.points <= min(ladder.points[mode] for mode in rule.counts):
        return literal(value=True)
    within = FrameClause(
        timedelta(days=rule.within_days), None, FrameClauseType.PRECEDING, FrameClauseType.CURRENT
    )
    one, moment = occasion.c.alumnus_id, occasion.c.moment
    points = func.sum(worth(occasion.c.mode, ladder)).over(
        partition_by=one, order_by=moment, range_=within
    )
    number = func.count().over(partition_by=one, order_by=moment, range_=within)
    return and_(points >= rule.points, number >= rule.occasions)


def stage_holds(occasion: CTE, ladder: Continuum) -> CTE:
    """Every stretch in which somebody kept a stage: its start, its last occasion and its end.

    Occasions are sorted once for all rules that count the same and keep as long.
    """
    alike: dict[tuple[Any, int], list[Rule]] = defaultdict(list)
    for rule in ladder.rules:
        alike[rule.counts, rule.keep_days].append(rule)
    kept = []
    for rules in alike.values():
        chain = _chains(occasion, rules, ladder).c
        kept += [
            select(
                literal(rule.rank, Integer()).label("rank"),
                chain.alumnus_id,
                chain[f"starts_{rule.rank}"].label("starts"),
                chain.last,
                (chain.last + days(rule.keep_days)).label("ends"),
            ).where(chain[f"starts_{rule.rank}"].is_not(None))
            for rule in rules
        ]
    return union_all(*kept).cte("hold")


def future() -> CTE:
    """When the next interaction that is recorded ahead of its time begins to count."""
    return (
        select(Interaction.alumnus_id, func.min(utc(Interaction.occurred_at)).label("moment"))
        .where(
            Interaction.alumnus_id == any_(WHO),
            Interaction.machine.is_(False),
            Interaction.occurred_at > AT,
        )
        .group_by(Interaction.alumnus_id)
        .cte("future")
    )


def placed(who: CTE, hold: CTE, ahead: CTE, ladder: Continuum) -> Select[Any]:
    """Everybody's place at the moment, with the start of the stage they keep."""
    best = (
        select(hold)
        .where(hold.c.ends > NOW)
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
        )
        .select_from(who)
        .outerjoin(best, best.c.alumnus_id == who.c.alumnus_id)
        .outerjoin(over, over.c.alumnus_id == who.c.alumnus_id)
        .outerjoin(ahead, ahead.c.alumnus_id == who.c.alumnus_id)
    )
