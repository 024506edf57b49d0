"""A journey as a validated, immutable value: entry, exit, goal, steps, and its canonical JSON."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lifecycle.journeys.steps import (
    Kind,
    Name,
    Part,
    Query,
    Seconds,
    Step,
    Wait,
    WaitFor,
)
from lifecycle.journeys.windows import Window

MOST_STEPS = 200
CUSTOM = "custom."
DATES = r"^(graduation|birthday|custom\.[^\x00]{1,60})$"


def percent(value: Any) -> Any:
    """`10%` as 10."""
    text = value.strip().removesuffix("%").strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else value


class Enter(Part):
    """Who enters, and how often the same person may.

    By the query `when`; or by a `move` (`stage:involved`), an `interaction` or a `date` (of
    graduation, of birth, or one in a custom field; `before` it by so much, in these `years` after
    it only), and then only those whom `when` means too. `by_hand` alone: nobody by themselves.

    `once` ever; `yearly` at most once in a calendar year; `after_exit` again `gap` after the last
    end; `each` for each move or interaction. `holdout` keeps so many percent aside for comparison;
    `everyone` takes in the district's control group as well.
    """

    when: Query | None = None
    move: Annotated[str, Field(pattern=r"^(stage|phase):[a-z_]{1,40}$")] | None = None
    interaction: Kind | None = None
    date: Annotated[str, Field(pattern=DATES)] | None = None
    before: Seconds | None = None
    years: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(), max_length=50)
    by_hand: bool = False
    reentry: Literal["once", "yearly", "after_exit", "each"] = "once"
    gap: Seconds | None = None
    holdout: Annotated[int, BeforeValidator(percent), Field(ge=1, le=50)] | None = None
    everyone: bool = False

    @property
    def field(self) -> str | None:
        """The custom field whose date lets people in, if one does."""
        date = self.date or ""
        return date.removeprefix(CUSTOM) if date.startswith(CUSTOM) else None

    @property
    def listens(self) -> str:
        """What lets people in as it happens; empty for a query, a date or the hand."""
        return self.move or self.interaction or ""


class Document(Part):
    """A whole journey. `serves` names a district goal, `goal` the interaction that is success,
    which counts for `goal_within` after entering even where the way has ended (or, without one,
    for as long as somebody is inside); `window` is when its messages may go.
    """

    journey: Name
    name: str = Field(min_length=1, max_length=120)
    serves: str = Field(min_length=1, max_length=300)
    enter: Enter
    exit: Query | None = None
    goal: Kind | None = None
    goal_within: Seconds | None = None
    window: Window | None = None
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
    """How long somebody who arrives at the step stays before it runs, if nothing wakes them.

    A `wait_until` runs at once, and holds them until its day where they live.
    """
    if isinstance(step, Wait):
        return timedelta(seconds=step.wait)
    if isinstance(step, WaitFor):
        return timedelta(seconds=step.max)
    return timedelta(0)
