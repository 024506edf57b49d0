"""What the continuum adds to the query language: stage, phase, moves and anniversaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, case, exists, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.extend import FieldMatch, QueryContext, QueryRows
from crm.query.conditions import during
from crm.query.kinds import Ask, choice, date, in_time, is_key, number, words_of
from crm.query.rows import times
from lifecycle.continuum.definition import UNKNOWN, continuum
from lifecycle.continuum.models import Standing, StandingMove
from lifecycle.continuum.words import phase_choices, stage_choices

STAGE = (
    select(Standing.stage)
    .where(Standing.alumnus_id == Alumnus.id)
    .correlate(Alumnus)
    .scalar_subquery()
)
"""The stage of a row of alumni; nothing for whom no tick has placed yet."""

AXES = {"stage": _("Stage of engagement"), "phase": _("Phase of life")}
WAYS = {"up": _("up"), "down": _("down")}


def between(keys: Sequence[str], match: FieldMatch) -> list[str]:
    """The keys from `low` to `high` in their order; a single value is itself, ordered or not."""
    if match.low is not None and match.low == match.high:
        return [str(match.low)]
    low = keys.index(match.low) if match.low in keys else 0
    high = keys.index(match.high) if match.high in keys else len(keys) - 1
    return list(keys[low : high + 1])


def _stands(column: InstrumentedAttribute[str], keys: list[str]) -> ColumnElement[bool]:
    return exists().where(Standing.alumnus_id == Alumnus.id, column.in_(keys))


def at_stage(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People at one stage or within a range of them."""
    return _stands(Standing.stage, between([s.key for s in continuum().stages], match))


def in_phase(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People in one phase or a range of them; no range takes in those of whom it is unknown."""
    if UNKNOWN in (match.low, match.high) and match.low != match.high:
        return false()
    return _stands(Standing.phase, between([p.key for p in continuum().phases], match))


def moved(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who changed stage or phase in the period; being placed first is no move."""
    conditions = [StandingMove.alumnus_id == Alumnus.id, StandingMove.from_key.is_not(None)]
    if match.low is not None:
        conditions.append(StandingMove.at >= match.low)
    if match.high is not None:
        conditions.append(StandingMove.at < match.high)
    return exists().where(*conditions)


def years_out(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People whose class finished so many years before the year of the moment."""
    # Far-off numbers are cut to what a year can be, so that they match nobody and break nothing.
    conditions: list[ColumnElement[bool]] = [Alumnus.class_year.is_not(None)]
    if match.low is not None:
        conditions.append(Alumnus.class_year <= _year(context.at.year - match.low))
    if match.high is not None:
        conditions.append(Alumnus.class_year >= _year(context.at.year - match.high))
    return and_(*conditions)


def _year(year: int) -> int:
    return max(-100_000, min(100_000, year))


def reached(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who ever stood at one of the stages, now or by the history of their moves."""
    keys = between([s.key for s in continuum().stages], match)
    then = exists().where(
        StandingMove.alumnus_id == Alumnus.id,
        StandingMove.axis == "stage",
        StandingMove.to_key.in_(keys),
    )
    return or_(_stands(Standing.stage, keys), then)


def _since(column: InstrumentedAttribute[Any]) -> Ask:
    def condition(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
        return exists().where(Standing.alumnus_id == Alumnus.id, during(column, match))

    return condition


def _moved_to(column: InstrumentedAttribute[Any]) -> Ask:
    """A stage or a phase; a range of stages (or of phases) means each of them."""

    def condition(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
        keys = list(_either())
        stages, phases = list(stage_choices()), list(phase_choices())
        ladder = stages if {match.low, match.high} & set(stages) else phases
        if {match.low, match.high} - {None} - set(ladder):
            raise Invalid("A range is one of stages or one of phases.")
        wanted = between([key for key in keys if key in ladder], match)
        return column.in_(wanted)

    return condition


def _either(_session: Any = None) -> dict[str, Any]:
    return {**stage_choices(), **phase_choices()}


def _way(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """Up or down the ladder of its axis."""
    steps = {
        key: n for ladder in (stage_choices(), phase_choices()) for n, key in enumerate(ladder)
    }
    place = {
        column: case(steps, value=column) for column in (StandingMove.from_key, StandingMove.to_key)
    }
    before, after = place[StandingMove.from_key], place[StandingMove.to_key]
    return after > before if match.low == "up" else after < before


FIELDS = (
    choice("stage", _("Stage of engagement"), at_stage, _("are at the stage %(value)s"),
           "stage:involved..", choices=stage_choices, ordered=True),
    choice("phase", _("Phase of life"), in_phase, _("are in the phase %(value)s"),
           "phase:early..building", choices=phase_choices, ordered=True),
    date("stage_since", _("At their stage since"), _since(Standing.stage_since),
         _("came to their stage %(value)s"), "stage_since:6m.."),
    date("phase_since", _("In their phase since"), _since(Standing.phase_since),
         _("came to their phase %(value)s"), "phase_since:1y"),
    choice("reached", _("Ever stood at the stage"), reached, _("ever stood at the stage %(value)s"),
           "reached:involved..", choices=stage_choices, ordered=True),
    date("moved", _("Moved on the continuum"), moved, _("moved on the continuum %(value)s"),
         "moved:30d"),
    number("years", _("Years since the class finished"), years_out,
           _("finished school %(value)s years ago"), "years:5,10,25"),
)  # fmt: skip
MOVES = QueryRows(
    "moved", _("One move on the continuum"), _("moved on the continuum"), StandingMove.alumnus_id, [
        choice("axis", _("Stage or phase"), is_key(StandingMove.axis), choices=words_of(AXES)),
        choice("from", _("From"), _moved_to(StandingMove.from_key), choices=_either, ordered=True),
        choice("to", _("To"), _moved_to(StandingMove.to_key), choices=_either, ordered=True),
        choice("way", _("Up or down"), _way, choices=words_of(WAYS)),
        date("when", _("When"), in_time(StandingMove.at)),
    ],
    belongs=lambda: (StandingMove.from_key.is_not(None),), default="to",
    totals=(times(_("How many")),),
    example="moved(axis:stage from:involved.. to:..connected when:1y)",
)  # fmt: skip
