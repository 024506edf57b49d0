"""What becomes of those inside older versions when a new one is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.core.errors import Refused
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import IS_INSIDE, Enrollment, Journey, JourneyVersion
from lifecycle.journeys.queries import document_of
from lifecycle.journeys.steps import Step

STAY, MOVE, STOP = "stay", "move", "stop"
OUT = ""
"""Instead of a step: out of the journey."""


@dataclass(frozen=True)
class Takeover:
    """`stay` on their version, `move` to the new one by the names of steps, or `stop`.

    `dates`: those who wait keep the moment at which they go on, or get the one that the new version
    would give them. `removed` says, for steps that the new version lacks, where people go instead.
    """

    inside: Literal["stay", "move", "stop"] = "stay"
    dates: Literal["keep", "new"] = "keep"
    removed: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any] | None:
        """The value as it is kept with a version; None for staying."""
        if self.inside == STAY:
            return None
        return {"inside": self.inside, "dates": self.dates, "removed": dict(self.removed)}


def kept_takeover(value: Mapping[str, Any] | None) -> Takeover:
    """The value again that `Takeover.plain` gave."""
    return Takeover(**value) if value else Takeover()


@dataclass(frozen=True)
class Standing:
    """So many people at a step of an older version, and the step they would stand at: None where
    the new version has none of that name."""

    version: int
    step: str
    people: int
    target: str | None


def those_inside(session: Session, journey: Journey, document: Document) -> list[Standing]:
    """Who stands where in the versions before, in the order of versions and steps."""
    counted = (
        select(JourneyVersion, Enrollment.step_no, func.count().label("people"))
        .join(Enrollment, Enrollment.version_id == JourneyVersion.id)
        .where(Enrollment.journey_id == journey.id, IS_INSIDE)
        .group_by(JourneyVersion.id, Enrollment.step_no)
        .order_by(JourneyVersion.no, Enrollment.step_no)
    )
    names = {step.id for step in document.steps}
    found = []
    for version, step_no, people in session.execute(counted):
        name = document_of(version).steps[step_no].id
        found.append(Standing(version.no, name, people, name if name in names else None))
    return found


def check_takeover(standing: Sequence[Standing], document: Document, wanted: Takeover) -> None:
    """Raises `Refused` where somebody would be left at a step that there is no more."""
    if wanted.inside != MOVE:
        return
    problems = list(_problems(standing, document, wanted))
    if problems:
        raise Refused(problems)


def _problems(standing: Sequence[Standing], document: Document, wanted: Takeover) -> Iterator[str]:
    names = {step.id for step in document.steps}
    for place in standing:
        if place.target is None and place.step not in wanted.removed:
            yield (
                f"{place.people} stand at step {place.step} of version {place.version}, which "
                "this one lacks: say where they go"
            )
    for old, new in wanted.removed.items():
        if new != OUT and new not in names:
            yield f"step {old}: there is no step “{new}” to go to"


def same_wait(old: Step, new: Step) -> bool:
    """Whether somebody who stands at the one may keep their date at the other."""
    return old.id == new.id and old.kind == new.kind
