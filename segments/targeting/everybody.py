"""The features of everybody as of one moment: each table is read once and grouped by person.

`features.load` asks each case's history in turn, which is right for cases at moments of their own.
Here the moment is one for all, so that asks and interactions are grouped in a single pass of a
range of ids; a test holds that both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction, Mode
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.targeting.features import COLUMNS, NEVER, Cases, Extra
from segments.targeting.matrices import read_matrix

RANGE = 200_000
"""So many ids are read at once: more means fewer passes over the interactions, and more memory."""
BITS = 62
MODES = tuple(mode for mode in Mode if mode is not Mode.COMMUNICATION)


@dataclass(frozen=True)
class Span:
    """A range of ids, and the moment with those a year and a quarter before it, as constants.

    The database counts the days back, as it does for cases; once, since what depends on its time
    zone would be worked out for every row.
    """

    low: int
    high: int
    now: Any
    year_ago: Any
    quarter_ago: Any

    def holds(self, person: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """Conditions: the person's id is in the range."""
        return person > self.low, person <= self.high


def _constant(at: datetime) -> Any:
    return cast(literal(at), DateTime(timezone=True))


def _span(session: Session, low: int, at: datetime) -> Span:
    now = _constant(at)
    days = (func.make_interval(0, 0, 0, n) for n in (365, 90))
    year, quarter = session.execute(select(*(now - back for back in days))).one()
    return Span(low, low + RANGE, now, _constant(year), _constant(quarter))


def load_everybody(
    session: Session, *, way_key: str, at: datetime, base: float, more: Extra | None = None
) -> Iterator[Cases]:
    """The cases of everybody alive whom the program may look at, by ranges of ids, ascending."""
    session.execute(text("set local work_mem = '256MB'"))
    session.execute(text("set local jit = off"))
    low = 0
    last = session.scalar(select(func.coalesce(func.max(Alumnus.id), 0))) or 0
    kinds = kinds_of(session)
    while low < last:
        statement = _statement(_span(session, low, at), way_key, base, more, kinds)
        rows = read_matrix(session, statement)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        if len(rows):
            keys = rows[:, 0].astype(np.int64)
            yield Cases(keys, keys, rows[:, 1:])
        low += RANGE


def _statement(
    span: Span,
    way_key: str,
    base: float,
    more: Extra | None,
    kinds: Sequence[str],
) -> Select[Any]:
    now = span.now
    c = select(now.label("at"), literal(way_key).label("way")).cte("c")
    everybody = (
        visible_alumni(SYSTEM), Alumnus.deceased.is_(False), *span.holds(Alumnus.id),
    )  # fmt: skip
    asks = _asks(span, way_key)
    deeds, missed = _deeds(span, kinds), _missed(span)
    offers = (
        select(Interest.alumnus_id.label("person"))
        .distinct()
        .where(
            *span.holds(Interest.alumnus_id), Interest.since < now,
            Interest.kind == InterestKind.WAY, Interest.key == way_key,
        )
        .cte("offers")
    )  # fmt: skip
    values = _values(now, asks, deeds, missed, offers, base)
    extra = more(c) if more else {}
    return (
        select(
            Alumnus.id.label("key"), *(values[name].label(name) for name in COLUMNS),
            *(value.label(f"extra_{n}") for n, value in enumerate(extra.values())),
        )
        .join_from(Alumnus, c, true())
        .outerjoin(asks, asks.c.person == Alumnus.id)
        .outerjoin(deeds, deeds.c.person == Alumnus.id)
        .outerjoin(missed, missed.c.person == Alumnus.id)
        .outerjoin(offers, offers.c.person == Alumnus.id)
        .where(*everybody)
    )  # fmt: skip


def _values(
    now: Any, asks: CTE, deeds: CTE, missed: CTE, offers: CTE, base: float
) -> dict[str, ColumnElement[Any]]:
    """An expression for each of `COLUMNS`; `features._values` has the same for cases."""
    graduated = func.coalesce(Alumnus.graduated_on, func.make_date(Alumnus.class_year, 6, 1))
    yeses = func.coalesce(asks.c.yeses, 0) + cast(5 * base, Double())
    rate = yeses / (func.coalesce(asks.c.asks, 0) + 5)
    days, first = _days(now, deeds.c.last_deed), _days(now, deeds.c.first_deed)
    gap = (first - days) / func.nullif(deeds.c.deeds - 1, 0)
    counted = {name: part for part in (asks, deeds) for name in part.c.keys()}  # noqa: SIM118
    return {
        **{name: func.coalesce(counted[name].c[name], 0) for name in COLUMNS if name in counted},
        "days_since_yes": func.coalesce(_days(now, asks.c.last_accepted), NEVER),
        "days_since_ask": func.coalesce(_days(now, asks.c.last_ask), NEVER),
        "days_since_contact": func.coalesce(_days(now, deeds.c.last_contact), NEVER),
        "days_since_deed": func.coalesce(days, NEVER),
        "deed_gap": func.coalesce(gap, 0),
        "overdue": func.coalesce(days / func.greatest(gap, 1.0), 0),
        "missed": func.coalesce(missed.c.missed, 0),
        "yes_rate": rate,
        "tenure": func.coalesce(func.date_part("year", func.age(now, graduated)), 10),
        "offers_way": case((offers.c.person.is_not(None), 1), else_=0),
        "works": case((Alumnus.field_of_work.is_not(None), 1), else_=0),
    }


def _days(now: Any, moment: Any) -> Any:
    """In double precision: `extract` answers a numeric, which is slow by the million."""
    return func.date_part("epoch", now - moment) / cast(86_400.0, Double())


def _asks(span: Span, way_key: str) -> CTE:
    """Earlier asks; an answer counts only if it was given before."""
    known = Ask.answered_at < span.now
    yes = and_(Ask.state == AskState.ACCEPTED, known)
    same = Ask.way_key == way_key
    answered, accepted = (func.max(Ask.answered_at).filter(part) for part in (known, yes))
    return (
        select(
            Ask.alumnus_id.label("person"), func.count().label("asks"),
            func.count().filter(Ask.asked_at >= span.quarter_ago).label("asks_quarter"),
            func.count().filter(yes, Ask.asked_at >= span.year_ago).label("yeses_year"),
            case((accepted == answered, 1), else_=0).label("last_yes"),
            func.count().filter(Ask.asked_at >= span.year_ago).label("asks_year"),
            func.count().filter(yes).label("yeses"),
            func.count().filter(yes, same).label("way_yeses"),
            func.count().filter(same).label("way_asks"),
            func.count().filter(Ask.state == AskState.DECLINED, known).label("declines"),
            func.max(Ask.asked_at).label("last_ask"), accepted.label("last_accepted"),
        )
        .where(
            *span.holds(Ask.alumnus_id), Ask.asked_at < span.now,
            Ask.state != AskState.CANCELLED,
        )
        .group_by(Ask.alumnus_id).cte("asks_before")
    )  # fmt: skip


def kinds_of(session: Session) -> list[str]:
    """Every kind of interaction there is, each found by one step of the index."""
    found: list[str] = []
    following = select(func.min(Interaction.kind))
    kind = session.scalar(following)
    while kind is not None:
        found.append(kind)
        kind = session.scalar(following.where(Interaction.kind > kind))
    return found


def _deeds(span: Span, kinds: Sequence[str]) -> CTE:
    """What people did. Kinds are counted as bits of numbers, which needs no sort of everything."""
    at, deed = Interaction.occurred_at, Interaction.mode != Mode.COMMUNICATION
    year, quarter = at >= span.year_ago, at >= span.quarter_ago
    modes = _counted([mode.value for mode in MODES], Interaction.mode, deed)
    masks = (
        _counted(kinds[n : n + BITS], Interaction.kind, deed) for n in range(0, len(kinds), BITS)
    )
    hours: Any = cast(Interaction.hours, Double())
    amount: Any = cast(Interaction.amount, Double())
    return (
        select(
            Interaction.alumnus_id.label("person"), func.count().label("contacts"),
            func.count().filter(quarter).label("contacts_quarter"),
            func.count().filter(year).label("contacts_year"),
            func.max(at).label("last_contact"), func.count().filter(deed).label("deeds"),
            func.count().filter(deed, quarter).label("deeds_quarter"),
            func.count().filter(deed, year).label("deeds_year"),
            func.max(at).filter(deed).label("last_deed"),
            func.min(at).filter(deed).label("first_deed"),
            func.sum(hours).filter(deed).label("hours"),
            func.sum(amount).filter(deed).label("amount"),
            sum(masks, literal(0)).label("kinds"), modes.label("modes"),
        )
        .where(
            *span.holds(Interaction.alumnus_id), at < span.now,
            Interaction.machine.is_(False),
        )
        .group_by(Interaction.alumnus_id).cte("deeds_before")
    )  # fmt: skip


def _counted(words: Sequence[str], column: Any, deed: Any) -> Any:
    """How many of these words, at most as many as a number has bits, a person's deeds had."""
    bit = case({word: literal(1 << n) for n, word in enumerate(words)}, value=column)
    mask = func.bit_or(cast(bit, BigInteger)).filter(deed)
    return func.coalesce(func.bit_count(cast(mask, BIT(64))), 0)


def _missed(span: Span) -> CTE:
    return (
        select(Commitment.alumnus_id.label("person"), func.count().label("missed"))
        .where(
            *span.holds(Commitment.alumnus_id), Commitment.ends_at < span.now,
            Commitment.state == CommitmentState.MISSED,
        )
        .group_by(Commitment.alumnus_id).cte("missed_before")
    )  # fmt: skip
