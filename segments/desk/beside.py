"""What stands beside a candidate on the match page: how sure the chance is, and their clearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import sqrt

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm.core.database import among
from segments.asks.models import Ask, AskState
from segments.clearance.models import Clearance
from segments.clearance.rules import LEVELS
from segments.desk.match import Candidate
from segments.desk.waves import Suggestion

LATEST, NEAR = 1_000, 0.1
STRENGTH = 5
Z = 1.2816
"""The 90th percentile of the normal distribution: intervals of 80 %."""


@dataclass(frozen=True)
class Line:
    """A candidate as the page shows them: `low` and `high` are the chance's interval, 0 to 1."""

    candidate: Candidate
    ticked: bool
    low: float
    high: float
    cleared: str
    until: date | None


def lines(session: Session, suggestion: Suggestion, *, at: datetime) -> list[Line]:
    """The candidates of a suggestion, each with how sure their chance is and their clearance."""
    shown, need = suggestion.match.candidates, suggestion.match.need
    ticked = {c.alumnus_id for c in suggestion.chosen}
    bands = intervals(session, need.request.way_key, at, [c.probability for c in shown])
    held = clearances(session, [c.alumnus_id for c in shown], at.astimezone(need.zone).date())
    found = []
    for candidate, (low, high) in zip(shown, bands, strict=True):
        level, until = held.get(candidate.alumnus_id, (0, None))
        label = str(LEVELS[level].label) if level else ""
        found.append(Line(candidate, candidate.alumnus_id in ticked, low, high, label, until))
    return found


def wilson(rate: float, n: float) -> tuple[float, float]:
    """The score interval of a rate seen among n (Wilson, JASA 22, 1927, 209-212), 80 %."""
    middle = (rate + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def intervals(
    session: Session, way_key: str, at: datetime, chances: Sequence[float]
) -> list[tuple[float, float]]:
    """For each chance between what rates it may lie: what came of asks with like chances.

    Of the latest thousand finished asks to this way whose chance was kept, those within ten points
    are counted, the chance itself as five more; with none like it the interval is wide.
    """
    ended = (AskState.ACCEPTED, AskState.DECLINED, AskState.NONE)
    latest = (
        select(Ask.probability, Ask.state)
        .where(
            Ask.way_key == way_key, Ask.state.in_(ended), Ask.probability.is_not(None),
            Ask.asked_at < at,
        )
        .order_by(Ask.asked_at.desc())
        .limit(LATEST)
    )  # fmt: skip
    seen = [(float(row[0] or 0.0), row[1] is AskState.ACCEPTED) for row in session.execute(latest)]
    found = []
    for chance in chances:
        like = [yes for other, yes in seen if abs(other - chance) <= NEAR]
        n = len(like) + STRENGTH
        low, high = wilson((sum(like) + STRENGTH * chance) / n, n)
        found.append((min(low, chance), max(high, chance)))
    return found


def clearances(session: Session, ids: Sequence[int], day: date) -> Mapping[int, tuple[int, date]]:
    """Person → the highest level held on a day, and until when."""
    held = (
        select(Clearance.alumnus_id, Clearance.level, func.max(Clearance.expires_on))
        .where(
            among(Clearance.alumnus_id, ids), Clearance.granted_on <= day,
            Clearance.expires_on > day,
            or_(Clearance.revoked_on.is_(None), Clearance.revoked_on > day),
        )
        .group_by(Clearance.alumnus_id, Clearance.level)
        .order_by(Clearance.level)
    )  # fmt: skip
    return {person: (level, until) for person, level, until in session.execute(held)}
