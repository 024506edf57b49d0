"""Statements that group everybody's history by person, before one moment.

Each answers a row for whoever has such a history, their id first, named `person`; columns named as
in `features.COLUMNS` are features as they stand. `features` has the same for cases one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Double,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Session

from crm.alumni.models import Interest, InterestKind
from crm.interactions.models import Interaction, Mode
from segments.asks.models import Ask, AskState, Commitment, CommitmentState

BITS = 62
MODES = tuple(mode for mode in Mode if mode is not Mode.COMMUNICATION)


@dataclass(frozen=True)
class Moment:
    """A moment with those a year and a quarter before it, as constants of a statement.

    The database counts the days back, as it does for cases; once, since what depends on its time
    zone would be worked out for every row.
    """

    now: Any
    year_ago: Any
    quarter_ago: Any


def constant(at: datetime) -> Any:
    """A moment that is written into the statement."""
    return cast(literal(at), DateTime(timezone=True))


def number(value: Any) -> Any:
    """A value as a number, whatever kind of number it is."""
    return cast(value, Double())


def moment_of(session: Session, at: datetime) -> Moment:
    """The moment with what lies before it."""
    now = constant(at)
    days = (func.make_interval(0, 0, 0, n) for n in (365, 90))
    year, quarter = session.execute(select(*(now - back for back in days))).one()
    return Moment(now, constant(year), constant(quarter))


def asks(moment: Moment, way_key: str) -> Select[Any]:
    """Earlier asks; an answer counts only if it was given before."""
    known = Ask.answered_at < moment.now
    yes = and_(Ask.state == AskState.ACCEPTED, known)
    same = Ask.way_key == way_key
    year, quarter = Ask.asked_at >= moment.year_ago, Ask.asked_at >= moment.quarter_ago
    answered, accepted = (func.max(Ask.answered_at).filter(part) for part in (known, yes))
    return (
        select(
            Ask.alumnus_id.label("person"), func.count().label("asks"),
            func.count().filter(quarter).label("asks_quarter"),
            func.count().filter(yes, year).label("yeses_year"),
            case((accepted == answered, 1), else_=0).label("last_yes"),
            func.count().filter(year).label("asks_year"),
            func.count().filter(yes).label("yeses"),
            func.count().filter(yes, same).label("way_yeses"),
            func.count().filter(same).label("way_asks"),
            func.count().filter(Ask.state == AskState.DECLINED, known).label("declines"),
            func.max(Ask.asked_at).label("last_ask"), accepted.label("last_accepted"),
        )
        .where(Ask.asked_at < moment.now, Ask.state != AskState.CANCELLED)
        .group_by(Ask.alumnus_id)
    )  # fmt: skip


def contacts(moment: Moment) -> Any:
    """Everything that people themselves did, communication included; an index has all of it."""
    at = Interaction.occurred_at
    return (
        select(
            Interaction.alumnus_id.label("person"), func.count().label("contacts"),
            func.count().filter(at >= moment.quarter_ago).label("contacts_quarter"),
            func.count().filter(at >= moment.year_ago).label("contacts_year"),
            func.max(at).label("last_contact"),
        )
        .where(at < moment.now, ~Interaction.machine)
        .group_by(Interaction.alumnus_id)
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


def deeds(moment: Moment, kinds: Sequence[str]) -> Select[Any]:
    """What people did beyond communication: help given, events, gifts; an index has all of it.

    Kinds are counted as bits of numbers, which needs no sort.
    """
    at = Interaction.occurred_at
    masks = (_counted(kinds[n : n + BITS], Interaction.kind) for n in range(0, len(kinds), BITS))
    return (
        select(
            Interaction.alumnus_id.label("person"), func.count().label("deeds"),
            func.count().filter(at >= moment.quarter_ago).label("deeds_quarter"),
            func.count().filter(at >= moment.year_ago).label("deeds_year"),
            cast(sum(masks, literal(0)), Integer).label("kinds"),
            _counted([mode.value for mode in MODES], Interaction.mode).label("modes"),
            func.max(at).label("last_deed"), func.min(at).label("first_deed"),
            func.sum(number(Interaction.hours)).label("hours"),
            func.sum(number(Interaction.amount)).label("amount"),
        )
        .where(
            at < moment.now, ~Interaction.machine, Interaction.mode != Mode.COMMUNICATION
        )
        .group_by(Interaction.alumnus_id)
    )  # fmt: skip


def _counted(words: Sequence[str], column: Any) -> Any:
    """How many of these words, at most as many as a number has bits, a person's deeds had."""
    bit = case({word: literal(1 << n) for n, word in enumerate(words)}, value=column)
    mask = func.bit_or(cast(bit, BigInteger))
    return cast(func.coalesce(func.bit_count(cast(mask, BIT(64))), 0), Integer)


def missed(moment: Moment) -> Any:
    """Promised visits that did not happen."""
    return (
        select(Commitment.alumnus_id.label("person"), func.count().label("missed"))
        .where(Commitment.ends_at < moment.now, Commitment.state == CommitmentState.MISSED)
        .group_by(Commitment.alumnus_id)
    )


def offers(moment: Moment, way_key: str) -> Select[Any]:
    """Whoever had offered the way."""
    return (
        select(Interest.alumnus_id.label("person"))
        .distinct()
        .where(
            Interest.since < moment.now, Interest.kind == InterestKind.WAY, Interest.key == way_key
        )
    )
