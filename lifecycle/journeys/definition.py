"""A journey as a validated, immutable value: entry, exit, goal, steps, and its canonical JSON."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

KEY = r"^[a-z0-9][a-z0-9_-]{0,59}$"
DURATION = re.compile(r"([1-9]\d{0,4})\s*(min|h|d|w)")
UNITS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800}
DAY = UNITS["d"]
LONGEST = 3660 * DAY
MOST_STEPS = 200


def seconds(value: Any) -> Any:
    """A duration such as `30min`, `12h`, `10d` or `2w` in seconds; a whole number is seconds."""
    if isinstance(value, str):
        match = DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a duration such as 30min, 12h, 10d or 2w")
        return int(match[1]) * UNITS[match[2]]
    return value


Seconds = Annotated[int, BeforeValidator(seconds), Field(ge=60, le=LONGEST)]
Name = Annotated[str, Field(pattern=KEY)]
Query = Annotated[str, Field(min_length=1, max_length=2_000)]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]


class Part(BaseModel):
    """What every part of a journey shares: no unknown keys, no changes afterwards, no guessing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Send(Part):
    """Queue one message: the newest version of a content, or the one pinned by `key@no`."""

    kind: Literal["send"] = "send"
    id: Name
    content: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}(@[1-9]\d{0,5})?$")
    topic: Name
    priority: int = Field(default=50, ge=0, le=100)
    expires: Seconds = 14 * DAY
    next: Name

    @property
    def pinned(self) -> tuple[str, int | None]:
        """The content's key and the version's number, if one is named."""
        key, _, number = self.content.partition("@")
        return key, int(number) if number else None

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"queued": self.next}


class Wait(Part):
    """Let time pass."""

    kind: Literal["wait"] = "wait"
    id: Name
    wait: Seconds
    next: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"waited": self.next}


class WaitFor(Part):
    """Wait until something of a kind happens (yes), at most so long (no)."""

    kind: Literal["wait_for"] = "wait_for"
    id: Name
    interaction: Kind
    max: Seconds
    yes: Name
    no: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"yes": self.yes, "no": self.no}


class Arm(Part):
    """One way out of a branch: for the people a query means."""

    when: Query
    next: Name


class Branch(Part):
    """Take the first arm whose query means the person, else `otherwise`."""

    kind: Literal["branch"] = "branch"
    id: Name
    arms: tuple[Arm, ...] = Field(min_length=1, max_length=20)
    otherwise: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads: the number of the arm from 1, or `otherwise`."""
        arms = {str(number): arm.next for number, arm in enumerate(self.arms, start=1)}
        return {**arms, "otherwise": self.otherwise}


class Exit(Part):
    """The end of the way, with a word for it."""

    kind: Literal["exit"] = "exit"
    id: Name
    reason: Name = "done"

    @property
    def edges(self) -> dict[str, str]:
        """An exit leads nowhere."""
        return {}


Step = Annotated[Send | Wait | WaitFor | Branch | Exit, Field(discriminator="kind")]


class Enter(Part):
    """Who enters, and how often the same person may.

    `once` ever; `yearly` at most once in a calendar year; `after_exit` again `gap` after the last
    end.
    """

    when: Query
    reentry: Literal["once", "yearly", "after_exit"] = "once"
    gap: Seconds | None = None


class Document(Part):
    """A whole journey. `serves` names a district goal, `goal` the interaction that is success."""

    journey: Name
    name: str = Field(min_length=1, max_length=120)
    serves: str = Field(min_length=1, max_length=300)
    enter: Enter
    exit: Query | None = None
    goal: Kind | None = None
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS)

    @property
    def canonical(self) -> dict[str, Any]:
        """The plain JSON value that is stored."""
        return self.model_dump(mode="json")

    @property
    def sha256(self) -> str:
        """The fingerprint of the canonical JSON."""
        text = json.dumps(self.canonical, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def number(self, step_id: str) -> int:
        """The place of a step in the document, from 0."""
        return next(n for n, step in enumerate(self.steps) if step.id == step_id)


def stored(value: Any) -> Document:
    """The document again from its canonical JSON."""
    return Document.model_validate_json(json.dumps(value))


def delay(step: Step) -> timedelta:
    """How long somebody who arrives at the step stays before it runs, if nothing wakes them."""
    if isinstance(step, Wait):
        return timedelta(seconds=step.wait)
    if isinstance(step, WaitFor):
        return timedelta(seconds=step.max)
    return timedelta(0)


def spelled(amount: int) -> str:
    """Seconds as people write a duration: `10d`, `12h`, `90min`."""
    for unit in ("d", "h", "min"):
        if amount % UNITS[unit] == 0:
            return f"{amount // UNITS[unit]}{unit}"
    return f"{amount}s"
