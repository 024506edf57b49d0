"""Entering by what happens: a move on the continuum, an interaction, a day of the year.

Each answers, correlated on `Alumnus`, whether the occasion is there and what names it, so that the
key of an enrollment lets one occasion count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    String,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    or_,
    select,
)

from crm.alumni.models import Alumnus
from crm.interactions.models import Interaction
from crm.mail.policy import local_day
from lifecycle.continuum.models import StandingMove
from lifecycle.journeys.definition import Enter
from lifecycle.journeys.models import Enrollment
from lifecycle.journeys.steps import ANY

LATE = 7
"""So many days a person may enter after the day itself, so that an outage loses nobody."""


WRITTEN = r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


@dataclass(frozen=True)
class Occasion:
    """Whether it is there, and the text that names it."""

    there: ColumnElement[bool]
    key: ColumnElement[Any]


def occasion(
    enter: Enter, *, journey_id: int | None, since: datetime, at: datetime
) -> Occasion | None:
    """What lets people in besides or instead of the entry query; None where only the query does.

    What happened before `since` (when the journey began to listen) does not count.
    """
    if enter.move is not None:
        axis, _, key = enter.move.partition(":")
        # Where somebody is put first is no move of theirs.
        counts = (
            StandingMove.axis == axis, StandingMove.to_key == key,
            StandingMove.from_key.is_not(None), StandingMove.at.between(since, at),
        )  # fmt: skip
        return _latest(enter, StandingMove, StandingMove.at, counts, "move", journey_id)
    if enter.interaction is not None:
        did: tuple[Any, ...] = (
            Interaction.machine.is_(False), Interaction.occurred_at.between(since, at),
        )  # fmt: skip
        if enter.interaction != ANY:
            did = (*did, Interaction.kind == enter.interaction)
        return _latest(enter, Interaction, Interaction.occurred_at, did, "did", journey_id)
    if enter.date is not None:
        return _anniversary(enter, at)
    return None


def _latest(
    enter: Enter, table: Any, moment: Any, counts: tuple[Any, ...], word: str,
    journey_id: int | None,
) -> Occasion:  # fmt: skip
    """The latest of a person's rows that count; after an exit, of those since it."""
    rows = [table.alumnus_id == Alumnus.id, *counts]
    if enter.reentry == "after_exit" and journey_id is not None:
        rows.append(
            ~exists().where(
                Enrollment.journey_id == journey_id, Enrollment.alumnus_id == Alumnus.id,
                Enrollment.ended_at >= moment,
            )
        )  # fmt: skip
    last = select(func.max(table.id)).where(*rows).correlate(Alumnus).scalar_subquery()
    return Occasion(last.is_not(None), func.concat(f"{word}:", last, type_=String()))


def _anniversary(enter: Enter, at: datetime) -> Occasion:
    """The day of the year of a date, `before` it by so much, and in these years after it only.

    A date of a custom field that lets people in once is that very day. 29 February counts as
    28 February in other years.
    """
    target = local_day(at, None) + timedelta(seconds=enter.before or 0)
    born = _born(enter)
    turned = cast(extract("year", literal(target, Date())) - extract("year", born), Integer)
    now, last = _years_after(born, turned), _years_after(born, turned - 1)
    day = case((now <= target, now), else_=last)
    years = cast(extract("year", day) - extract("year", born), Integer)
    itself = enter.field is not None and enter.reentry == "once" and not enter.years
    counts = years == 0 if itself else years >= 1
    there = and_(day.between(target - timedelta(days=LATE - 1), target), counts)
    if enter.years:
        there = and_(there, years.in_(enter.years))
    return Occasion(func.coalesce(there, False), cast(extract("year", day), String))


def _years_after(day: ColumnElement[date], years: ColumnElement[int]) -> ColumnElement[date]:
    return cast(day + func.make_interval(years), Date)


def _born(enter: Enter) -> ColumnElement[Any]:
    """The date that comes again: of birth, of graduation (June of the class where none is), or of
    a custom field."""
    if enter.field is not None:
        return _written(Alumnus.custom[enter.field].astext)
    if enter.date == "birthday":
        return cast(Alumnus.birth_date, Date)
    of_class = case(
        (or_(Alumnus.class_year < 1900, Alumnus.class_year > 2200), None),
        else_=func.make_date(Alumnus.class_year, 6, 1),
    )
    return cast(func.coalesce(Alumnus.graduated_on, of_class), Date)


def _written(value: ColumnElement[str]) -> ColumnElement[Any]:
    """A text such as 2026-05-31 as a date; null for what is none, which a cast would stumble on."""
    year, month, day = (cast(func.substr(value, *at), Integer) for at in ((1, 4), (6, 2), (9, 2)))
    first = func.make_date(year, month, 1)
    found = cast(first + day - 1, Date)
    real = case((func.date_trunc("month", found) == func.date_trunc("month", first), found))
    return cast(case((value.regexp_match(WRITTEN), real)), Date)
