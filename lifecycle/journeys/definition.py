"""A journey as a validated, immutable value: entry, exit, goal, steps, and its canonical JSON."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

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

MOST_STEPS = 200


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
    """How long somebody who arrives at the step stays before it runs, if nothing wakes them.

    A `wait_until` runs at once, and holds them until its day where they live.
    """
    if isinstance(step, Wait):
        return timedelta(seconds=step.wait)
    if isinstance(step, WaitFor):
        return timedelta(seconds=step.max)
    return timedelta(0)
