"""How asks fall on people: the load of a period, and how much of it the busiest tenth carries.

It is counted by the people whom a viewer may see, whichever school asked them: what wears somebody
out is every ask. Asks that were called off before an answer count nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.clearance.queries import district_zone, office_day

USUAL = timedelta(days=364)
"""A period that nobody chose: a year with its last day, today."""
MOST_SHOWN = 10
"""Whoever was asked more often stands with those asked so often."""


@dataclass(frozen=True)
class Period:
    """Asks made from `start` on and before `end`; the days are the office's, both included."""

    since: date
    until: date
    start: datetime
    end: datetime

    def holds(self) -> ColumnElement[bool]:
        """A condition on `Ask`: it was made in the period and not called off."""
        return and_(
            Ask.asked_at >= self.start, Ask.asked_at < self.end, Ask.state != AskState.CANCELLED
        )


@dataclass(frozen=True)
class Crowd:
    """People with their asks: `busiest_asks` is the share of all asks that fell on the `tenth`.

    `tenth` is a tenth of the people, rounded up. `busiest_hours` is the share of hours given by the
    tenth who gave most of them, who need not be those asked most; both are from 0 to 1, and None
    where there is nothing to share.
    """

    people: int
    tenth: int
    asks: int
    yeses: int
    hours: float
    busiest_asks: float | None
    busiest_hours: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {**self.__dict__}


@dataclass(frozen=True)
class Load:
    """Whom the asks of a period reached, and whom of the willing they did not.

    `counts` are the people asked once, twice, … (`MOST_SHOWN` and more together). The willing offer
    a way to help and could be written to; `spared` were not asked in the period, `never` not ever.
    """

    asked: Crowd
    willing: Crowd
    counts: Mapping[int, int]
    spared: int
    never: int


def read_period(session: Session, since: str, until: str, *, at: datetime) -> Period:
    """The period between two days as text (2026-09-01); blanks are the year that ends today.

    Raises `Invalid`, naming the field, for what is no day or a period that ends before it begins.
    """
    zone, today = district_zone(session), office_day(session, at)
    last = _day(until, "to") if until.strip() else today
    first = _day(since, "from") if since.strip() else last - USUAL
    if last < first:
        raise Invalid("The period ends before it begins.", field="to")
    start = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    return Period(first, last, start, min(end, at + timedelta(microseconds=1)))


def _day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise Invalid("Write a day as 2026-09-01.", field=field) from None
    if not 1850 <= day.year <= 2200:
        raise Invalid("Write a year between 1850 and 2200.", field=field)
    return day


def load_of(session: Session, viewer: Viewer, period: Period) -> Load:
    """How the asks of a period fell on the people whom this viewer may see."""
    made = _made(period)
    asked = (
        select(made.c.asks, made.c.yeses, made.c.hours)
        .join(Alumnus, Alumnus.id == made.c.alumnus_id)
        .where(visible_alumni(viewer))
    )
    willing = (
        select(*(func.coalesce(made.c[name], 0).label(name) for name in ("asks", "yeses", "hours")))
        .select_from(Alumnus)
        .outerjoin(made, made.c.alumnus_id == Alumnus.id)
        .where(_willing(viewer))
    )
    ever = exists().where(
        Ask.alumnus_id == Alumnus.id, Ask.asked_at < period.end, Ask.state != AskState.CANCELLED
    )
    never = session.scalar(select(func.count()).select_from(Alumnus).where(_willing(viewer), ~ever))
    reached, all_willing = _alike(session, asked), _alike(session, willing)
    counts: Counter[int] = Counter()
    for like in reached:
        counts[min(like.asks, MOST_SHOWN)] += like.people
    spared = sum(like.people for like in all_willing if not like.asks)
    in_order = dict(sorted(counts.items()))
    return Load(_crowd(reached), _crowd(all_willing), in_order, spared, never or 0)


def _made(period: Period) -> Any:
    """By person: the asks of a period, the yeses to them and the hours that came of those."""
    came = Commitment.state == CommitmentState.ATTENDED
    return (
        select(
            Ask.alumnus_id, func.count().label("asks"),
            func.count().filter(Ask.state == AskState.ACCEPTED).label("yeses"),
            func.coalesce(func.sum(Commitment.hours).filter(came), 0).label("hours"),
        )
        .outerjoin(Commitment, Commitment.ask_id == Ask.id)
        .where(period.holds())
        .group_by(Ask.alumnus_id)
        .subquery("made")
    )  # fmt: skip


def _willing(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Alumnus`: they offer some way to help, and nothing forbids writing to them.

    A break, a lost address or a clearance that is not there yet pass; they are still to be had.
    """
    offers = exists().where(Interest.alumnus_id == Alumnus.id, Interest.kind == InterestKind.WAY)
    barred = Alumnus.deceased | Alumnus.do_not_contact | Alumnus.ferpa_block
    return and_(visible_alumni(viewer), offers, ~barred)


@dataclass(frozen=True)
class Alike:
    """People with the same number of asks and the same hours, and their yeses together."""

    people: int
    asks: int
    hours: float
    yeses: int


def _alike(session: Session, people: Select[Any, Any, Any]) -> list[Alike]:
    """People given as (asks, yeses, hours), put together where they are alike.

    Few rows however many people: most were asked once or twice and gave no hours or round ones.
    """
    one = people.subquery()
    found = select(func.count(), one.c.asks, one.c.hours, func.sum(one.c.yeses))
    rows = session.execute(found.group_by(one.c.asks, one.c.hours))
    return [Alike(number, asks, float(hours), int(yeses)) for number, asks, hours, yeses in rows]


def _crowd(alike: Sequence[Alike]) -> Crowd:
    """The figures of people."""
    people = sum(one.people for one in alike)
    tenth = -(-people // 10)
    asks = [(one.asks, one.people) for one in alike]
    hours = [(one.hours, one.people) for one in alike]
    total = round(sum(number * n for number, n in hours), 2)
    return Crowd(
        people, tenth, sum(number * n for number, n in asks), sum(one.yeses for one in alike),
        total, _busiest(asks, tenth), _busiest(hours, tenth),
    )  # fmt: skip


def _busiest(amounts: Sequence[tuple[float, int]], most: int) -> float | None:
    """The share of all that so many people with most of it have; amounts are (each, people)."""
    whole, taken = sum(each * people for each, people in amounts), 0.0
    for each, people in sorted(amounts, reverse=True):
        taken, most = taken + each * min(people, most), max(0, most - people)
    return taken / whole if whole else None
