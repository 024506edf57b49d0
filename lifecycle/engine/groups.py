"""Those who stand at one step of one version: what a tick works on at a time."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import JourneyVersion
from lifecycle.journeys.steps import AskFor, Enroll, Send, SetFacts, Step, Task, WaitUntil

ACTING = (Send, SetFacts, Enroll, Task, AskFor)
"""Steps that do more than decide where somebody goes on."""


@dataclass(frozen=True)
class Group:
    """One step of one version, which people stand at."""

    version: JourneyVersion
    document: Document
    step_no: int

    @property
    def step(self) -> Step:
        """The step itself."""
        return self.document.steps[self.step_no]

    @property
    def is_plain(self) -> bool:
        """Whether one statement claims those who are due, runs the step and moves them on.

        A letter within hours of its own first asks where its readers live.
        """
        step = self.step
        if self.document.exit is not None or isinstance(step, WaitUntil):
            return False
        if isinstance(step, Send):
            return self.document.window is None
        return not isinstance(step, ACTING)
