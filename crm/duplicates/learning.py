"""The threshold that a district's own reviewers teach: where enough of what they decide is merged.

Rankings carry over between organisations, thresholds do not. Decisions move only the line from
which pairs are proposed, never the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from crm.duplicates.finding import FLOOR, THRESHOLD
from crm.duplicates.models import DuplicatePair, PairState

ENOUGH = 50
"""Nothing is learnt from fewer decisions."""
TARGET = 0.95
"""The share of proposed pairs that should turn out to be one person."""
CEILING = 0.99
STEPS = 50


@dataclass(frozen=True)
class Step:
    """What was decided of pairs whose chance is from `low` up to the next step."""

    low: float
    merged: int
    decided: int


@dataclass(frozen=True)
class Learnt:
    """The line from which pairs are proposed, and the decisions behind it."""

    threshold: float
    steps: tuple[Step, ...]

    @property
    def decided(self) -> int:
        """How many pairs somebody decided."""
        return sum(step.decided for step in self.steps)

    @property
    def merged(self) -> int:
        """How many of them were one person."""
        return sum(step.merged for step in self.steps)

    @property
    def enough(self) -> bool:
        """Whether there are enough decisions to learn from."""
        return self.decided >= ENOUGH


def learnt(session: Session) -> Learnt:
    """The line as this district's decisions have it; the usual one until there are enough."""
    place = func.floor(DuplicatePair.probability * 2 * STEPS)
    merged = func.sum(case((DuplicatePair.state == PairState.MERGED, 1), else_=0))
    rows = session.execute(
        select(place, merged, func.count())
        .where(DuplicatePair.state != PairState.OPEN, DuplicatePair.decided_at.is_not(None))
        .group_by(place)
        .order_by(place)
    )
    steps = tuple(Step(low / (2 * STEPS), int(yes), n) for low, yes, n in rows)
    return Learnt(line(steps), steps)


def line(steps: Sequence[Step]) -> float:
    """The lowest step from which on at least `TARGET` of what was decided was merged.

    Steps come from low to high. Between `FLOOR` and `CEILING`; the highest where no step gets
    there, and the usual threshold while there are too few decisions.
    """
    if sum(step.decided for step in steps) < ENOUGH:
        return THRESHOLD
    found, merged, decided = CEILING, 0, 0
    for step in reversed(steps):
        merged, decided = merged + step.merged, decided + step.decided
        if decided and merged / decided >= TARGET:
            found = step.low
    return min(max(found, FLOOR), CEILING)
