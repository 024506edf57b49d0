"""Writes places into standings, set-based, with a move and its facts for each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Delete,
    Select,
    and_,
    any_,
    case,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, distinct_on, insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import PREPARED
from lifecycle.continuum.definition import Continuum
from lifecycle.continuum.models import Standing, StandingMove
from lifecycle.continuum.placing import (
    AT,
    NOW,
    PLACE,
    WHO,
    anchored,
    days,
    future,
    given,
    occasions,
    people,
    phase_columns,
    placed,
    stage_holds,
    utc,
    worth,
    zoned,
)

MOVE = ["alumnus_id", "axis", "from_key", "to_key", "at", "since", "cause"]


def place_people(session: Session, ids: Sequence[int], at: datetime, ladder: Continuum) -> int:
    """Place these people from all their deeds; answers how many moved or were placed first."""
    forget_merged(session, ids)
    return session.scalars(_placing(ladder), given(ids, at)).one()


@cache
def _placing(ladder: Continuum) -> Select[int]:
    """The whole statement, built once: its parameters carry who and when."""
    who, occasion = people(ladder), occasions()
    hold = stage_holds(occasion, ladder)
    place = placed(who, hold, future(), ladder).cte("place")
    old = select(Standing).where(Standing.alumnus_id == any_(WHO)).cte("old")
    differs = tuple_(*(place.c[k] for k in PLACE)).is_distinct_from(
        tuple_(*(old.c[k] for k in PLACE))
    )
    changed = (
        select(place, old.c.phase.label("old_phase"), old.c.stage.label("old_stage"))
        .outerjoin(old, old.c.alumnus_id == place.c.alumnus_id)
        .where(or_(old.c.alumnus_id.is_(None), differs))
        .cte("changed")
    )
    c = changed.c
    written = insert(Standing).from_select(
        ["alumnus_id", *PLACE], select(c.alumnus_id, *(c[k] for k in PLACE))
    )
    written = written.on_conflict_do_update(
        index_elements=[Standing.alumnus_id], set_={k: written.excluded[k] for k in PLACE}
    )
    moves = union_all(_phase_moves(changed), _stage_moves(changed, hold, occasion, ladder))
    noted = insert(StandingMove).from_select(MOVE, moves)
    moved = or_(c.old_phase.is_distinct_from(c.phase), c.old_stage.is_distinct_from(c.stage))
    return (
        select(func.count())
        .select_from(changed)
        .where(moved)
        .add_cte(written.returning(Standing.alumnus_id).cte("written"))
        .add_cte(noted.returning(StandingMove.id).cte("noted"))
    )


def forget_merged(session: Session, ids: Sequence[int]) -> None:
    """Take people whose record became part of another's off the continuum."""
    options = {"synchronize_session": False}
    session.execute(_forgetting(), {"who": list(ids)}, execution_options=options)


@cache
def _forgetting() -> Delete:
    merged = exists().where(Alumnus.id == Standing.alumnus_id, Alumnus.merged_into_id.is_not(None))
    return delete(Standing).where(Standing.alumnus_id == any_(WHO), merged)


def _phase_moves(changed: CTE) -> Select[Any]:
    """The moves from one phase to another; where somebody was placed first is no move."""
    c = changed.c
    return _move(changed, "phase", c.old_phase, c.phase, c.phase_since, _phase_cause(c.day)).where(
        c.old_phase != c.phase
    )


def _phase_cause(day: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.jsonb_build_object("rule", "time", "graduated_on", day, type_=JSONB())


def _stage_moves(changed: CTE, hold: CTE, occasion: CTE, ladder: Continuum) -> Select[Any]:
    """The moves from one stage to another, and where people who already did things were placed."""
    c = changed.c
    ranks = {stage.key: rank for rank, stage in enumerate(ladder.stages)}
    old_rank = case(ranks, value=c.old_stage, else_=0)
    latest = (
        select(hold)
        .ext(distinct_on(hold.c.alumnus_id, hold.c.rank))
        .order_by(hold.c.alumnus_id, hold.c.rank, hold.c.ends.desc())
        .cte("latest")
    )
    behind = _behind(changed, occasion, ladder)
    cause = case(
        (c.rank > old_rank, _rise(changed, behind, ladder)),
        (
            and_(latest.c.ends.is_not(None), latest.c.ends <= NOW),
            _lapse(latest, ladder),
        ),
        else_=func.jsonb_build_object("rule", "history", type_=JSONB()),
    )
    return (
        _move(changed, "stage", c.old_stage, c.stage, c.stage_since, cause)
        .outerjoin(latest, and_(latest.c.alumnus_id == c.alumnus_id, latest.c.rank == old_rank))
        .outerjoin(behind, behind.c.alumnus_id == c.alumnus_id)
        .where(or_(c.old_stage != c.stage, and_(c.old_stage.is_(None), c.rank > 0)))
    )


def _behind(changed: CTE, occasion: CTE, ladder: Continuum) -> CTE:
    """The points and occasions that stood behind the rise of those who changed."""
    c, o = changed.c, occasion.c
    counted = or_(
        *(
            and_(
                c.rank == rule.rank,
                o.mode.in_(rule.counts),
                o.moment.between(c.starts - days(rule.within_days), c.starts),
            )
            for rule in ladder.rules
        )
    )
    return (
        select(
            c.alumnus_id,
            func.sum(worth(o.mode, ladder)).label("points"),
            func.count().label("occasions"),
        )
        .join(occasion, o.alumnus_id == c.alumnus_id)
        .where(counted)
        .group_by(c.alumnus_id)
        .cte("behind")
    )


def _rise(changed: CTE, behind: CTE, ladder: Continuum) -> ColumnElement[Any]:
    """What took somebody up: the occasion, and the points behind it against those needed."""
    c = changed.c
    return func.jsonb_build_object(
        "rule", "rise",
        "moment", c.starts,
        "points", behind.c.points,
        "occasions", behind.c.occasions,
        "needs", _by_rank(c.rank, {r.rank: r.points for r in ladder.rules}),
        "needs_occasions", _by_rank(c.rank, {r.rank: r.occasions for r in ladder.rules}),
        "within_days", _by_rank(c.rank, {r.rank: r.within_days for r in ladder.rules}),
        type_=JSONB(),
    )  # fmt: skip


def _lapse(latest: CTE, ladder: Continuum) -> ColumnElement[Any]:
    """What let somebody down: the last occasion that counted and how long it carries."""
    return func.jsonb_build_object(
        "rule", "lapse",
        "last", latest.c.last,
        "ended", latest.c.ends,
        "keep_days", _by_rank(latest.c.rank, {r.rank: r.keep_days for r in ladder.rules}),
        type_=JSONB(),
    )  # fmt: skip


def _by_rank(rank: ColumnElement[Any], values: dict[int, int]) -> ColumnElement[Any]:
    return case(values, value=rank)


def _move(
    source: CTE,
    axis: str,
    old: ColumnElement[Any],
    new: ColumnElement[Any],
    since: ColumnElement[Any],
    cause: ColumnElement[Any],
) -> Select[Any]:
    return select(source.c.alumnus_id, literal(axis), old, new, AT, since, cause).select_from(
        source
    )


def pass_phases(session: Session, ids: Sequence[int], at: datetime, ladder: Continuum) -> int:
    """Move people on whom time alone carries into another phase; their deeds are not read."""
    return session.scalars(_passing(ladder), given(ids, at), execution_options=PREPARED).one()


@cache
def _passing(ladder: Continuum) -> Select[int]:
    day, created = anchored(), utc(Alumnus.created_at)
    phase, since, following = phase_columns(day, created, ladder)
    place = (
        select(
            Standing.alumnus_id,
            Standing.phase.label("old_phase"),
            day.label("day"),
            phase.label("phase"),
            zoned(since).label("phase_since"),
            func.least(zoned(following), Standing.stage_next_at).label("next_at"),
        )
        .join(Alumnus, Alumnus.id == Standing.alumnus_id)
        .where(Standing.alumnus_id == any_(WHO))
        .cte("changed")
    )
    written = (
        update(Standing)
        .where(Standing.alumnus_id == place.c.alumnus_id)
        .values({k: place.c[k] for k in ("phase", "phase_since", "next_at")})
        .returning(literal(1))
        .cte("written")
    )
    noted = insert(StandingMove).from_select(MOVE, _phase_moves(place))
    return (
        select(func.count())
        .select_from(place)
        .where(place.c.old_phase != place.c.phase)
        .add_cte(written)
        .add_cte(noted.returning(null()).cte("noted"))
    )
