"""What a district decides about clearance: levels, proofs, terms, who renews, how long it takes.

A fresh installation has the shipped levels (`rules.py`). Levels are numbered from 1; each includes
those below it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crm.core.district import Choices
from segments.clearance.rules import LEVELS, NEEDED, months_after

MOST_LEVELS = 5
MOST_MONTHS, MOST_DAYS = 120, 365


class LevelRule(BaseModel):
    """One level. Empty words are the shipped ones.

    With `training_months` it also takes a training, which counts so long. `renewed_by` says who
    proves it again: the office for every school, or each school for itself. Somebody who says yes
    can be cleared within `lead_days`; with 0 only those who are cleared already are asked.
    """

    model_config = ConfigDict(frozen=True)
    label: str = Field(default="", max_length=80)
    proof: str = Field(default="", max_length=200)
    months: int = Field(default=24, ge=1, le=MOST_MONTHS)
    training_months: int = Field(default=0, ge=0, le=MOST_MONTHS)
    renewed_by: Literal["office", "school"] = "office"
    lead_days: int = Field(default=0, ge=0, le=MOST_DAYS)


class ClearancePolicy(Choices):
    """The levels in order, which activity takes which, and ways whose yes starts the clock."""

    key: ClassVar[str] = "clearance"
    levels: tuple[LevelRule, ...] = Field(
        default=(LevelRule(), LevelRule(), LevelRule()), min_length=1, max_length=MOST_LEVELS
    )
    needed: dict[str, int] = Field(
        default_factory=lambda: {f"{how}:{where}": n for (how, where), n in NEEDED.items()}
    )
    ways: tuple[str, ...] = ("mentor", "tutor")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not all(0 <= n <= len(self.levels) for n in self.needed.values()):
            raise ValueError("an activity takes a level that there is not")
        if any(not rule.label and n not in LEVELS for n, rule in enumerate(self.levels, 1)):
            raise ValueError("a level has no name")
        return self

    def needed_level(self, supervision: str, place: str) -> int:
        """The level that an activity takes (0: none); something unknown takes the highest."""
        return self.needed.get(f"{supervision}:{place}", len(self.levels))

    def rule(self, level: int) -> LevelRule:
        """The rule of a level; of one that is no more, the highest there is."""
        return self.levels[min(max(level, 1), len(self.levels)) - 1]

    def label(self, level: int) -> Any:
        """What a level is called."""
        shipped = LEVELS.get(level)
        known = self.levels[level - 1].label if 1 <= level <= len(self.levels) else ""
        return known or (shipped.label if shipped else str(level))

    def proof(self, level: int) -> Any:
        """What proves a level."""
        shipped = LEVELS.get(level)
        return self.rule(level).proof or (shipped.proof if shipped else "")

    def longest(self, level: int, granted_on: date, trained_on: date | None = None) -> date:
        """The first day on which a level granted then no longer counts, training included."""
        rule = self.rule(level)
        ends = months_after(granted_on, rule.months)
        if rule.training_months and trained_on is not None:
            ends = min(ends, months_after(trained_on, rule.training_months))
        return ends

    def ready(self, level: int, today: date) -> date | None:
        """The first day for which somebody who starts today can be cleared; None: not counted on.

        The lead time runs whole: cleared on its last day, at work on the next.
        """
        days = self.rule(level).lead_days if level else 0
        return today + timedelta(days=days + 1) if days else None
