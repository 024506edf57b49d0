"""Who is under 18, and what a district lets go to them: one rule for the send policy and for asks.

From the date of birth, where it is known: 18 from the birthday on, which for somebody born on
29 February is 1 March. Without one, from the class: a child starts school in Georgia in the year in
which it is five by 1 September (O.C.G.A. § 20-2-150), so whoever graduates on time is 18 by
1 September of the class year; until then, and for as many years longer as the district chooses,
they count as under 18. Somebody enrolled without either counts as under 18; of anybody else nothing
is known that speaks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    Date,
    Integer,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    or_,
)

from crm.alumni.models import Alumnus, Schooling, SchoolingStatus
from crm.core.district import Choices

ADULT = 18
BY = (9, 1)
"""Month and day from which a class counts as 18."""


class Outreach(StrEnum):
    """How far a district goes with those under 18; each step includes the ones before it."""

    NOTHING = "nothing"
    HANDOVER = "handover"
    TOPICS = "topics"


class AgeRule(Choices):
    """What a district lets go to people under 18. Nobody under 18 is ever asked to help.

    `handover` are the origins that are the school's own hand-over (`journey:welcome`); `topics` are
    topics that may be written about; `margin_years` is how much longer a class without dates of
    birth counts as under 18, for districts where many skip a year.
    """

    key: ClassVar[str] = "age"
    outreach: Outreach = Outreach.NOTHING
    handover: tuple[str, ...] = ("journey:welcome",)
    topics: tuple[str, ...] = ()
    margin_years: int = Field(default=0, ge=0, le=2)

    def allows(self, *, ask: bool, topic_key: str | None, origin: str) -> bool:
        """Whether a message about a topic, decided by an origin, may go to somebody under 18."""
        if ask or self.outreach is Outreach.NOTHING:
            return False
        if origin.partition("/")[0] in self.handover:
            return True
        return self.outreach is Outreach.TOPICS and topic_key in self.topics


def adult_on(
    birth_date: date | None,
    class_year: int | None,
    graduated_on: date | None,
    *,
    enrolled: bool = False,
    margin_years: int = 0,
) -> date | None:
    """The day from which somebody counts as 18; the last day there is for a pupil of no known
    class, None where nothing speaks for their being under 18."""
    if birth_date is not None:
        return birthday(birth_date, ADULT)
    year = class_year or (graduated_on.year if graduated_on else None)
    if year is not None:
        return date(min(year + margin_years, date.max.year), *BY)
    return date.max if enrolled else None


def birthday(born: date, years: int) -> date:
    """The day on which somebody becomes so many years old."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def under_age(adult_from: date | None, on: date) -> bool:
    """Whether somebody who is 18 from one day on is not yet so on another."""
    return adult_from is not None and on < adult_from


def minor_on(day: date, *, margin_years: int = 0) -> Any:
    """A condition correlated on `Alumnus`: the person counts as under 18 on a day.

    Compares plain columns with constants, so that a million rows cost one pass.
    """
    try:
        born_last = day.replace(year=day.year - ADULT)
    except ValueError:
        born_last = date(day.year - ADULT, 2, 28)
    reached = (day.month, day.day) >= BY
    oldest = day.year - margin_years + (1 if reached else 0)
    return or_(
        Alumnus.birth_date > born_last,
        and_(Alumnus.birth_date.is_(None), class_of() >= oldest),
        and_(Alumnus.birth_date.is_(None), class_of().is_(None), is_enrolled()),
    )


def class_of() -> Any:
    """The class year, else the year of graduation, of `Alumnus`."""
    graduated = cast(extract("year", Alumnus.graduated_on), Integer)
    return func.coalesce(func.nullif(Alumnus.class_year, 0), graduated)


def is_enrolled(alumnus_id: Any = Alumnus.id) -> Any:
    """Whether some school still has the person as a pupil."""
    return exists().where(
        Schooling.alumnus_id == alumnus_id, Schooling.status == SchoolingStatus.ENROLLED
    )


def adult_day(*, margin_years: int = 0) -> Any:
    """`adult_on` of `Alumnus` in SQL."""
    eighteen = func.make_interval(ADULT)
    leap_day = and_(
        extract("month", Alumnus.birth_date) == 2, extract("day", Alumnus.birth_date) == 29
    )
    turns = cast(Alumnus.birth_date + eighteen, Date) + case((leap_day, 1), else_=0)
    year = func.least(class_of() + margin_years, date.max.year)
    return case(
        (Alumnus.birth_date.is_not(None), turns),
        (class_of().is_not(None), func.make_date(year, *BY)),
        (is_enrolled(), literal(date.max)),
        else_=None,
    )


def known_by(birth_date: date | None, class_year: int | None, graduated_on: date | None) -> str:
    """By what we know an age: `birth_date`, `class` or nothing."""
    if birth_date is not None:
        return "birth_date"
    return "class" if class_year or graduated_on else ""


def clean(keys: Collection[str]) -> tuple[str, ...]:
    """Keys once each, in order."""
    return tuple(sorted(set(keys)))
