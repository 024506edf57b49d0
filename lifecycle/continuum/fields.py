"""What the continuum adds to the query language: stage, phase, moves and anniversaries."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, exists, false
from sqlalchemy.orm import InstrumentedAttribute

from crm.alumni.models import Alumnus
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from lifecycle.continuum.definition import UNKNOWN, continuum
from lifecycle.continuum.models import Standing, StandingMove
from lifecycle.continuum.words import phase_choices, stage_choices


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


FIELDS = (
    QueryField(
        "stage", _("Stage of engagement"), FieldKind.CHOICE, at_stage,
        choices=stage_choices, ordered=True, example="stage:involved..",
    ),
    QueryField(
        "phase", _("Phase of life"), FieldKind.CHOICE, in_phase,
        choices=phase_choices, ordered=True, example="phase:early..building",
    ),
    QueryField(
        "moved", _("Moved on the continuum"), FieldKind.DATE, moved, example="moved:30d",
    ),
    QueryField(
        "years", _("Years since the class finished"), FieldKind.NUMBER, years_out,
        example="years:5,10,25",
    ),
)  # fmt: skip
