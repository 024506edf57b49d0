"""The continuum as a validated value: phases by time, stages by deeds, read from one YAML file."""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from crm.core.errors import Refused
from crm.interactions.models import Mode

FILE = Path(__file__).with_name("continuum.yaml")
KEY = r"^[a-z][a-z0-9_]{0,39}$"
UNKNOWN = "unknown"
"""The phase of people of whom neither the graduation date nor the class year is known."""

FIRST_YEAR, LAST_YEAR = 1850, 2200
"""Graduation years outside these are taken for mistakes, and the phase is unknown."""

GRADUATION = (6, 1)
"""Month and day assumed for people of whom only the class year is known."""


class Part(BaseModel):
    """What every part of the definition shares: no unknown keys, no changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(Part):
    """A stretch of life: it begins `from_year` years after graduation (None: before it)."""

    key: str = Field(pattern=KEY)
    label: str
    about: str = ""
    from_year: int | None = Field(default=None, ge=0, le=100)


class Rise(Part):
    """What takes somebody up: so many points from so many occasions within so many days."""

    points: int = Field(ge=1)
    occasions: int = Field(default=1, ge=1)
    within_days: int = Field(ge=1, le=3660)


class Stage(Part):
    """A level of engagement; the lowest has no rule, everybody else stands there."""

    key: str = Field(pattern=KEY)
    label: str
    about: str = ""
    counts: tuple[Mode, ...] = ()
    rise: Rise | None = None
    keep_days: int | None = Field(default=None, ge=1, le=3660)

    @model_validator(mode="after")
    def whole(self) -> Self:
        """A rule comes with all its parts, and is kept more easily than it is reached."""
        parts = (bool(self.counts), self.rise is not None, self.keep_days is not None)
        if any(parts) and not all(parts):
            raise ValueError(f"stage {self.key} needs counts, rise and keep_days together")
        if self.rise and self.keep_days and self.keep_days < self.rise.within_days:
            raise ValueError(f"stage {self.key}: keep_days must not be less than within_days")
        return self


class Rule(Part):
    """A stage that is risen to, with its rank and every part of its rule."""

    key: str
    rank: int
    counts: tuple[Mode, ...]
    points: int
    occasions: int
    within_days: int
    keep_days: int


class Continuum(Part):
    """The whole ladder."""

    points: dict[Mode, int]
    phases: tuple[Phase, ...]
    stages: tuple[Stage, ...]

    @model_validator(mode="after")
    def ordered(self) -> Self:
        """Phases follow one another from before graduation on; only the first stage has no rule."""
        if set(self.points) != set(Mode) or min(self.points.values()) < 0:
            raise ValueError("points must name every mode once, none below 0")
        years = [p.from_year for p in self.phases]
        later = [y for y in years[1:] if y is not None]
        if years[:1] != [None] or len(later) != len(years) - 1 or later[:1] != [0]:
            raise ValueError("phases must begin with one before graduation, then from_year 0")
        if any(a >= b for a, b in pairwise(later)):
            raise ValueError("phases must stand in order of from_year")
        if not self.stages or self.stages[0].rise or not all(s.rise for s in self.stages[1:]):
            raise ValueError("the first stage, and only the first, has no rule")
        keys = [p.key for p in self.phases] + [s.key for s in self.stages]
        if len(keys) != len(set(keys)) or UNKNOWN in keys:
            raise ValueError(f"keys must differ from one another and from {UNKNOWN}")
        return self

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The stages that are risen to, lowest first."""
        return tuple(
            Rule(
                key=s.key, rank=rank, counts=s.counts, points=s.rise.points,
                occasions=s.rise.occasions, within_days=s.rise.within_days, keep_days=s.keep_days,
            )
            for rank, s in enumerate(self.stages)
            if s.rise is not None and s.keep_days is not None
        )  # fmt: skip

    @property
    def years(self) -> tuple[int, ...]:
        """The years after graduation at which a phase begins."""
        return tuple(p.from_year for p in self.phases if p.from_year is not None)

    def __hash__(self) -> int:
        return hash((self.phases, self.stages))

    @property
    def sha256(self) -> str:
        """The fingerprint of everything that decides a standing (labels do not)."""
        return _fingerprint(self)

    def rank(self, stage: str) -> int:
        """The place of a stage from the bottom, 0 for the lowest (and for one that is no more)."""
        return next((n for n, s in enumerate(self.stages) if s.key == stage), 0)


@cache
def _fingerprint(ladder: Continuum) -> str:
    label = {"__all__": {"label", "about"}}
    deciding = ladder.model_dump_json(exclude={"phases": label, "stages": label})
    return hashlib.sha256(deciding.encode()).hexdigest()


def read(path: Path) -> Continuum:
    """A definition from a file; raises `Refused` naming every fault with its place."""
    try:
        return Continuum.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except yaml.YAMLError as error:
        raise Refused([f"{path.name}: {error}"]) from error
    except ValidationError as error:
        problems = [
            f"{path.name}: {'.'.join(map(str, p['loc'])) or 'whole'}: {p['msg']}"
            for p in error.errors()
        ]
        raise Refused(problems) from error


@cache
def continuum() -> Continuum:
    """The definition in force."""
    return read(FILE)
