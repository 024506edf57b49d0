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
        """Whether nothing but the step itself has to be done for those who are due."""
        return self.document.exit is None and not isinstance(self.step, (*ACTING, WaitUntil))
