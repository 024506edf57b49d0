"""The continuum's rule for one person, over plain values: what the set-based sweep must equal.

Written apart from the SQL on purpose: `verify` and a property test hold one against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from crm.interactions.models import Mode
from lifecycle.continuum.definition import (
    FIRST_YEAR,
    GRADUATION,
    LAST_YEAR,
    UNKNOWN,
    Continuum,
    Rule,
)


@dataclass(frozen=True)
class Person:
    """What the rule needs of a person besides their deeds."""

    created_at: datetime
    graduated_on: date | None
    class_year: int | None


@dataclass(frozen=True)
class Deed:
    """One interaction of a person (machines' are left out by the caller)."""

    at: datetime
    mode: Mode


@dataclass(frozen=True)
class Place:
    """Where a person stands at a moment, since when, and when time alone changes it next."""

    phase: str
    phase_since: datetime
    stage: str
    stage_since: datetime
    next_at: datetime | None


@dataclass(frozen=True)
class Hold:
    """A stretch of time in which a stage was kept: from the rise to the end of its last keep.

    `points` from so many `occasions` stood behind the rise; `last` is the last that counted.
    """

    rank: int
    starts: datetime
    ends: datetime
    last: datetime
    points: int
    occasions: int


def anchor(person: Person) -> date | None:
    """The date that phases count from: graduation, else June of the class year, else unknown."""
    if person.graduated_on and FIRST_YEAR <= person.graduated_on.year <= LAST_YEAR:
        return person.graduated_on
    if person.class_year and FIRST_YEAR <= person.class_year <= LAST_YEAR:
        return date(person.class_year, *GRADUATION)
    return None


def anniversary(day: date, years: int) -> datetime:
    """Midnight UTC of the day so many years later; 29 February becomes the 28th."""
    try:
        later = day.replace(year=day.year + years)
    except ValueError:
        later = day.replace(year=day.year + years, day=28)
    return datetime.combine(later, time(), UTC)


def phase_at(
    person: Person, at: datetime, ladder: Continuum
) -> tuple[str, datetime, datetime | None]:
    """The phase at a moment, since when, and when the next one begins."""
    day = anchor(person)
    if day is None:
        return UNKNOWN, person.created_at, None
    key, since = ladder.phases[0].key, person.created_at
    for phase in ladder.phases[1:]:
        begins = anniversary(day, phase.from_year or 0)
        if begins > at:
            return key, since, begins
        key, since = phase.key, begins
    return key, since, None


def occasions(deeds: Iterable[Deed], at: datetime) -> list[Deed]:
    """The first deed of each mode on each day (UTC), up to the moment, in order of time."""
    first: dict[tuple[Mode, date], datetime] = {}
    for deed in deeds:
        if deed.at <= at:
            key = (deed.mode, deed.at.astimezone(UTC).date())
            first[key] = min(deed.at, first.get(key, deed.at))
    return sorted((Deed(moment, mode) for (mode, _), moment in first.items()), key=lambda d: d.at)


def holds(rule: Rule, happened: Sequence[Deed], points: dict[Mode, int]) -> list[Hold]:
    """The stretches in which a stage was kept: unbroken chains of occasions with a rise in them."""
    counting = [d for d in happened if d.mode in rule.counts]
    keep = timedelta(days=rule.keep_days)
    chains: list[list[Deed]] = []
    for deed in counting:
        if chains and deed.at - chains[-1][-1].at < keep:
            chains[-1].append(deed)
        else:
            chains.append([deed])
    found = []
    for chain in chains:
        last = chain[-1].at
        for deed in chain:
            reached, number = tally(rule, counting, points, deed.at)
            if reached >= rule.points and number >= rule.occasions:
                found.append(Hold(rule.rank, deed.at, last + keep, last, reached, number))
                break
    return found


def tally(
    rule: Rule, happened: Sequence[Deed], points: dict[Mode, int], at: datetime
) -> tuple[int, int]:
    """The points, and the occasions behind them, that count for a stage's rise at a moment."""
    since = at - timedelta(days=rule.within_days)
    recent = [d for d in happened if d.mode in rule.counts and since <= d.at <= at]
    return sum(points[d.mode] for d in recent), len(recent)


def place(person: Person, deeds: Sequence[Deed], at: datetime, ladder: Continuum) -> Place:
    """Where a person stands at a moment by all that happened up to then."""
    phase, phase_since, phase_next = phase_at(person, at, ladder)
    happened = occasions(deeds, at)
    kept = [hold for rule in ladder.rules for hold in holds(rule, happened, ladder.points)]
    now = max((h for h in kept if h.ends > at), key=lambda h: h.rank, default=None)
    rank = now.rank if now else 0
    over = [h.ends for h in kept if h.rank > rank]
    since = max([now.starts, *over] if now else over, default=person.created_at)
    turns = [phase_next, now.ends if now else None]
    turns.append(min((d.at for d in deeds if d.at > at), default=None))
    return Place(
        phase=phase,
        phase_since=phase_since,
        stage=ladder.stages[rank].key,
        stage_since=since,
        next_at=min((t for t in turns if t is not None), default=None),
    )
