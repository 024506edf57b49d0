"""The features of everybody as of one moment: each table is read once and grouped by person.

`features.load` asks each case's history in turn, which is right for cases at moments of their own.
Here the moment is one for all. The database groups what an index gives in the order of people
(hashing a million groups takes three times as long), numpy makes features of it; a test holds that
both ways give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Date, Integer, Select, cast, column, func, literal, select, text
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM
from segments.targeting import histories
from segments.targeting.columns import Columns
from segments.targeting.features import COLUMNS, NEVER, Cases, Matrix
from segments.targeting.histories import Moment, constant
from segments.targeting.matrices import EPOCH, read_columns

RANGE = 200_000
"""So many ids become a matrix at once."""
AT = {name: n for n, name in enumerate(COLUMNS)}
DAY = 86_400e6
UNKNOWN_TENURE = 10.0
BEFORE = -1_000_000
"""The day that stands for no day of graduation, counted from 2000."""
Part = dict[str, NDArray[Any]]


def load_everybody(
    session: Session, *, way_key: str, at: datetime, base: float, columns: Columns | None = None
) -> Iterator[Cases]:
    """The cases of everybody alive whom the program may look at, by ranges of ids, ascending."""
    parts = _parts(session, way_key, at, base)
    low, last = 0, session.scalar(select(func.coalesce(func.max(Alumnus.id), 0))) or 0
    while low < last:
        people = _sorted(read_columns(session, _people(low, at, columns)))
        if len(people["id"]):
            x = _matrix(people, parts, base, way_key, columns)
            x[:, AT["tenure"]] = _tenure(session, people["graduated"], at)
            yield Cases(people["id"], people["id"], x)
        low += RANGE


def _people(low: int, at: datetime, columns: Columns | None) -> Select[Any]:
    """Who they are: when they graduated (days from 2000), whether they work, fields of theirs."""
    graduated = func.coalesce(Alumnus.graduated_on, func.make_date(Alumnus.class_year, 6, 1))
    days = graduated - cast(literal("2000-01-01"), Date)
    known: Any = func.coalesce(cast(days, BigInteger), BEFORE) * 2
    c = select(constant(at).label("at")).cte("c")
    said = columns.said(c) if columns else {}
    packed: Any = known + cast(Alumnus.field_of_work.is_not(None), Integer)
    statement = select(
        Alumnus.id, histories.number(packed).label("packed"),
        *(histories.number(value).label(f"said_{n}") for n, value in enumerate(said.values())),
    )  # fmt: skip
    if said:
        statement = statement.join_from(Alumnus, c, literal(True))
    in_range = Alumnus.id > low, Alumnus.id <= low + RANGE
    return statement.where(visible_alumni(SYSTEM), Alumnus.deceased.is_(False), *in_range)


def _sorted(read: Part) -> Part:
    """By id, with what was sent as one number apart again."""
    order = np.argsort(read["id"], kind="stable")
    people = {name: values[order] for name, values in read.items()}
    packed = people.pop("packed").astype(np.int64)
    people |= {"graduated": packed >> 1, "works": packed & 1}
    return people


def _matrix(
    people: Part, parts: list[Part], base: float, way_key: str, columns: Columns | None
) -> Matrix:
    """A row a person; whoever is in no part has what stands for no history."""
    ids, extra = people["id"], len(columns.names) - len(COLUMNS) if columns else 0
    x = np.zeros((len(ids), len(COLUMNS) + extra))
    x[:, [AT[name] for name in COLUMNS if name.startswith("days_since")]] = NEVER
    x[:, AT["yes_rate"]] = base
    x[:, AT["works"]] = people["works"]
    for part in parts:
        start, end = np.searchsorted(part["person"], [ids[0], ids[-1] + 1])
        rows = np.searchsorted(ids, part["person"][start:end])
        here = ids[rows] == part["person"][start:end]
        for name, values in part.items():
            if name in AT:
                x[rows[here], AT[name]] = values[start:end][here]
    if columns:
        x[:, len(COLUMNS) : len(COLUMNS) + len(columns.ways)] = [
            way == way_key for way in columns.ways
        ]
        for n in range(extra - len(columns.ways)):
            x[:, len(COLUMNS) + len(columns.ways) + n] = people[f"said_{n}"]
    return x


def _tenure(session: Session, graduated: NDArray[np.int64], at: datetime) -> Matrix:
    """Whole years since, as the database counts them; few days stand for everybody."""
    days, which = np.unique(graduated, return_inverse=True)
    known = func.unnest(days.tolist()).table_valued(column("n", Integer)).render_derived("known")
    day = cast(literal("2000-01-01"), Date) + cast(known.c.n, Integer)
    years = func.date_part("year", func.age(constant(at), day))
    found = session.execute(select(known.c.n, years).where(known.c.n != BEFORE))
    answers: Mapping[int, float] = {row[0]: row[1] for row in found}
    return np.array([answers.get(day, UNKNOWN_TENURE) for day in days.tolist()])[which]


def _parts(session: Session, way_key: str, at: datetime, base: float) -> list[Part]:
    """Everybody's histories as columns of features, each part with whom its rows are of."""
    session.execute(text("set local work_mem = '256MB'"))
    session.execute(text("set local jit = off"))
    session.execute(text("set local enable_hashagg = off"))
    moment = histories.moment_of(session, at)
    now = (at - EPOCH).total_seconds() * 1e6
    read = [
        _asks(read_columns(session, histories.asks(moment, way_key)), now, base),
        _contacts(read_columns(session, histories.contacts(moment)), now),
        _deeds(_read_deeds(session, moment), now),
        read_columns(session, histories.missed(moment)),
        _offers(read_columns(session, histories.offers(moment, way_key))),
    ]
    session.execute(text("set local enable_hashagg = on"))
    return [_ordered(part) for part in read]


def _read_deeds(session: Session, moment: Moment) -> Part:
    return read_columns(session, histories.deeds(moment, histories.kinds_of(session)))


def _ordered(part: Part) -> Part:
    people = part["person"]
    if len(people) < 2 or (people[1:] > people[:-1]).all():
        return part
    order = np.argsort(people, kind="stable")
    return {name: values[order] for name, values in part.items()}


def _days(now: float, moments: NDArray[np.float64]) -> Matrix:
    return (now - moments) / DAY


def _known(values: Matrix, otherwise: float) -> Matrix:
    return np.where(np.isnan(values), otherwise, values)


def _asks(read: Part, now: float, base: float) -> Part:
    return read | {
        "yes_rate": (read["yeses"] + 5 * base) / (read["asks"] + 5),
        "days_since_ask": _days(now, read["last_ask"]),
        "days_since_yes": _known(_days(now, read["last_accepted"]), NEVER),
    }


def _contacts(read: Part, now: float) -> Part:
    return read | {"days_since_contact": _days(now, read["last_contact"])}


def _deeds(read: Part, now: float) -> Part:
    """With one deed only there is no gap, and `overdue` is the days since it."""
    days, first = _days(now, read["last_deed"]), _days(now, read["first_deed"])
    some = read["deeds"] > 1
    gap = np.where(some, (first - days) / np.maximum(read["deeds"] - 1, 1), 0.0)
    return read | {
        "days_since_deed": days, "deed_gap": gap,
        "overdue": days / np.where(some, np.maximum(gap, 1.0), 1.0),
        **{name: _known(read[name], 0.0) for name in ("hours", "amount")},
    }  # fmt: skip


def _offers(read: Part) -> Part:
    return read | {"offers_way": np.ones(len(read["person"]))}
