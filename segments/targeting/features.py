"""What is known of a person as of a moment: event history, cut off strictly before it.

One SQL statement for any number of cases; nothing dated at or after a case's moment can enter,
which `tests/segments/targeting` proves by adding later events. Machine clicks never count (law 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, case, distinct, func, literal, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import CTE, LateralFromClause

from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.interactions.models import Interaction, Mode
from segments.asks.models import Ask, AskState, Commitment, CommitmentState

Matrix = NDArray[np.float64]
Extra = Callable[[CTE], Mapping[str, ColumnElement[Any]]]
BATCH = 10_000
DEFAULT_BASE = 0.15
"""The rate of yeses where nothing is known of one."""
NEVER = 7300.0
"""Days that stand for "never": twenty years."""

COLUMNS = (
    "days_since_yes", "days_since_ask", "days_since_contact", "yeses", "asks", "asks_year",
    "yes_rate", "way_yeses", "way_asks", "declines", "contacts", "contacts_year", "deeds",
    "deeds_year", "modes", "hours", "amount", "tenure", "offers_way", "works",
    "days_since_deed", "deeds_quarter", "deed_gap", "overdue", "kinds", "yeses_year",
    "asks_quarter", "last_yes", "contacts_quarter", "missed",
)  # fmt: skip
"""The columns that every feature matrix begins with, in order.

Days are days, counts counts, `yes_rate` shrunk to the base; a quarter is 90 days and a year 365.
`deed_gap` is the mean number of days between deeds and `overdue` the days since the last one over
it (0 with fewer than two deeds); `last_yes` whether the latest answered ask was accepted; `missed`
how many promised visits did not happen. `segments.targeting.columns` adds what a district marked.
"""


@dataclass(frozen=True)
class Cases:
    """People at moments and what was known of them: `x` has a row a case and a column a feature."""

    keys: NDArray[np.int64]
    people: NDArray[np.int64]
    x: Matrix


def asked_cases(*, way_key: str | None, until: datetime) -> Select[int, int, datetime, str]:
    """Each answered or lapsed ask before `until` as a case: its id, person, moment and way."""
    done = Ask.state.in_([AskState.ACCEPTED, AskState.DECLINED, AskState.NONE])
    statement = select(Ask.id, Ask.alumnus_id, Ask.asked_at, Ask.way_key)
    statement = statement.where(done, Ask.asked_at < until)
    return statement.where(Ask.way_key == way_key) if way_key else statement


def people_cases(
    ids: Select[int], *, way_key: str, at: datetime
) -> Select[int, int, datetime, str]:
    """Each of the people as a case at one moment."""
    people = ids.subquery()
    person = people.c[0]
    return select(person.label("id"), person.label("alumnus_id"), literal(at), literal(way_key))


def load(
    session: Session, cases: Select[int, int, datetime, str], *, base: float,
    more: Extra | None = None,
) -> Cases:  # fmt: skip
    """The features of the cases; `base` is the rate of yeses that a short history is shrunk to.

    `more` are columns beyond `COLUMNS`: from the moment and the way of each case (columns `at` and
    `way` of the given table) an expression for each.
    """
    given = cases.cte("given")
    c = select(
        given.c[0].label("key"), given.c[1].label("person"),
        given.c[2].label("at"), given.c[3].label("way"),
    ).cte("c")  # fmt: skip
    asks, deeds, contacts = _asks(c), _deeds(c), _contacts(c)
    values = _values(c, asks, deeds, contacts, base)
    extra = more(c) if more else {}
    statement = (
        select(
            c.c.key, c.c.person, *(values[name].label(name) for name in COLUMNS),
            *(value.label(f"extra_{n}") for n, value in enumerate(extra.values())),
        )
        .join(Alumnus, Alumnus.id == c.c.person)
        .outerjoin(asks, true()).outerjoin(deeds, true()).outerjoin(contacts, true())
        .order_by(c.c.key)
    )  # fmt: skip
    width = 2 + len(COLUMNS) + len(extra)
    streamed = session.execute(statement, execution_options={"yield_per": BATCH}).partitions()
    parts = [np.array([tuple(row) for row in part], dtype=np.float64) for part in streamed]
    rows = np.concatenate(parts) if parts else np.empty((0, width))
    return Cases(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:])


def _values(
    c: CTE, asks: LateralFromClause, deeds: LateralFromClause, contacts: LateralFromClause,
    base: float,
) -> dict[str, Any]:  # fmt: skip
    """An expression for each of `COLUMNS`."""
    graduated = func.coalesce(Alumnus.graduated_on, func.make_date(Alumnus.class_year, 6, 1))
    rate = (func.coalesce(asks.c.yeses, 0) + 5 * base) / (func.coalesce(asks.c.asks, 0) + 5)
    gap = (deeds.c.first - deeds.c.days) / func.nullif(deeds.c.deeds - 1, 0)
    counted = {name: part for part in (asks, deeds, contacts) for name in part.c.keys()}  # noqa: SIM118
    return {
        **{name: func.coalesce(counted[name].c[name], 0) for name in COLUMNS if name in counted},
        "days_since_yes": func.coalesce(asks.c.days_since_yes, NEVER),
        "days_since_ask": func.coalesce(asks.c.days_since_ask, NEVER),
        "days_since_contact": func.coalesce(contacts.c.days, NEVER),
        "days_since_deed": func.coalesce(deeds.c.days, NEVER),
        "deed_gap": func.coalesce(gap, 0),
        "overdue": func.coalesce(deeds.c.days / func.greatest(gap, 1.0), 0),
        "missed": _missed(c),
        "yes_rate": rate,
        "tenure": func.coalesce(func.date_part("year", func.age(c.c.at, graduated)), 10),
        "offers_way": case((_offers(c).exists(), 1), else_=0),
        "works": case((Alumnus.field_of_work.is_not(None), 1), else_=0),
    }


def _offers(c: CTE) -> Select[int]:
    """That the person had offered the way before."""
    return select(literal(1)).where(
        Interest.alumnus_id == c.c.person, Interest.kind == InterestKind.WAY,
        Interest.key == c.c.way, Interest.since < c.c.at,
    )  # fmt: skip


def _missed(c: CTE) -> ColumnElement[int]:
    """Promised visits before the case that did not happen."""
    return (
        select(func.count())
        .where(
            Commitment.alumnus_id == c.c.person, Commitment.ends_at < c.c.at,
            Commitment.state == CommitmentState.MISSED,
        )
        .scalar_subquery()
    )  # fmt: skip


def _days(c: CTE, moment: object) -> object:
    return func.extract("epoch", c.c.at - moment) / 86_400.0


def _asks(c: CTE) -> LateralFromClause:
    """Earlier asks; an answer counts only if it was given before the case."""
    known = Ask.answered_at < c.c.at
    yes = and_(Ask.state == AskState.ACCEPTED, known)
    year = Ask.asked_at >= c.c.at - func.make_interval(0, 0, 0, 365)
    quarter = Ask.asked_at >= c.c.at - func.make_interval(0, 0, 0, 90)
    answered = func.max(Ask.answered_at).filter(known)
    return (
        select(
            func.count().label("asks"),
            func.count().filter(quarter).label("asks_quarter"),
            func.count().filter(and_(yes, year)).label("yeses_year"),
            case((func.max(Ask.answered_at).filter(yes) == answered, 1), else_=0).label("last_yes"),
            func.count().filter(year).label("asks_year"),
            func.count().filter(yes).label("yeses"),
            func.count().filter(and_(yes, Ask.way_key == c.c.way)).label("way_yeses"),
            func.count().filter(Ask.way_key == c.c.way).label("way_asks"),
            func.count().filter(and_(Ask.state == AskState.DECLINED, known)).label("declines"),
            _days(c, func.max(Ask.asked_at)).label("days_since_ask"),  # type: ignore[attr-defined]
            _days(c, func.max(Ask.answered_at).filter(yes)).label("days_since_yes"),  # type: ignore[attr-defined]
        )
        .where(Ask.alumnus_id == c.c.person, Ask.asked_at < c.c.at, Ask.state != AskState.CANCELLED)
        .lateral("asks_before")
    )


def _deeds(c: CTE) -> LateralFromClause:
    """What people did beyond communication: help given, events, gifts."""
    year = Interaction.occurred_at >= c.c.at - func.make_interval(0, 0, 0, 365)
    quarter = Interaction.occurred_at >= c.c.at - func.make_interval(0, 0, 0, 90)
    return (
        select(
            func.count().label("deeds"),
            func.count().filter(quarter).label("deeds_quarter"),
            func.count(distinct(Interaction.kind)).label("kinds"),
            _days(c, func.max(Interaction.occurred_at)).label("days"),  # type: ignore[attr-defined]
            _days(c, func.min(Interaction.occurred_at)).label("first"),  # type: ignore[attr-defined]
            func.count().filter(year).label("deeds_year"),
            func.count(distinct(Interaction.mode)).label("modes"),
            func.coalesce(func.sum(Interaction.hours), 0).label("hours"),
            func.coalesce(func.sum(Interaction.amount), 0).label("amount"),
        )
        .where(
            Interaction.alumnus_id == c.c.person, Interaction.occurred_at < c.c.at,
            Interaction.machine.is_(False), Interaction.mode != Mode.COMMUNICATION,
        )
        .lateral("deeds_before")
    )  # fmt: skip


def _contacts(c: CTE) -> LateralFromClause:
    """Everything that people themselves did, communication included."""
    year = Interaction.occurred_at >= c.c.at - func.make_interval(0, 0, 0, 365)
    quarter = Interaction.occurred_at >= c.c.at - func.make_interval(0, 0, 0, 90)
    return (
        select(
            func.count().label("contacts"),
            func.count().filter(quarter).label("contacts_quarter"),
            func.count().filter(year).label("contacts_year"),
            _days(c, func.max(Interaction.occurred_at)).label("days"),  # type: ignore[attr-defined]
        )
        .where(
            Interaction.alumnus_id == c.c.person, Interaction.occurred_at < c.c.at,
            Interaction.machine.is_(False),
        )
        .lateral("contacts_before")
    )  # fmt: skip
