"""Puts together what the journey pages show, from queries and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.core.viewer import Viewer
from lifecycle.continuum.remembering import remembered
from lifecycle.journeys import queries
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import EnrollmentState, Journey, JourneyVersion
from lifecycle.journeys.queries import Sends
from lifecycle.journeys.words import edge_words, step_words


@dataclass(frozen=True)
class StepView:
    """A step as the picture shows it: what it does, where it leads, who stands there, what went."""

    number: int
    id: str
    kind: str
    words: str
    ways: Sequence[tuple[str, str]]
    inside: int
    stuck: int
    sends: Sends | None


@dataclass(frozen=True)
class JourneyView:
    """A journey with its counts, within what the viewer may know."""

    journey: Journey
    live: JourneyVersion | None
    totals: dict[str, int]
    sends: Sends


def journey_view(session: Session, journey: Journey, viewer: Viewer, at: datetime) -> JourneyView:
    """A journey's line in the list; slow counts are kept for a minute."""
    scope = ("journey", journey.id, viewer.sight)

    def count() -> tuple[dict[str, int], Sends]:
        steps = queries.send_steps(queries.versions_of(session, journey))
        sends = queries.sends_of(session, journey, steps, viewer)
        return queries.totals(session, journey, viewer), together(sends.values())

    totals, sends = remembered(scope, at, count)
    return JourneyView(journey, queries.live_version(session, journey), totals, sends)


def together(parts: Any) -> Sends:
    """Several steps' sends as one."""
    whole = Sends()
    for part in parts:
        whole.sent += part.sent
        whole.waiting += part.waiting
        for reason, number in part.skipped.items():
            whole.skipped[reason] = whole.skipped.get(reason, 0) + number
    return whole


def picture(
    session: Session, journey: Journey, version: JourneyVersion, viewer: Viewer, at: datetime
) -> list[StepView]:
    """The steps of a version with the people at each; slow counts are kept for a minute."""
    document = queries.document_of(version)
    steps = queries.send_steps([version])
    scope = ("picture", version.id, viewer.sight)

    def count() -> tuple[Any, dict[str, Sends]]:
        sends = queries.sends_of(session, journey, steps, viewer)
        return queries.inside_by_step(session, version, viewer), sends

    inside, sends = remembered(scope, at, count)
    return [_step(document, number, inside, sends) for number in range(len(document.steps))]


def _step(document: Document, number: int, inside: Any, sends: dict[str, Sends]) -> StepView:
    step = document.steps[number]
    following = document.steps[number + 1].id if number + 1 < len(document.steps) else None
    ways = [(edge_words(step, word), target) for word, target in step.edges.items()]
    plain = len(ways) == 1 and ways[0][1] == following
    return StepView(
        number=number, id=step.id, kind=step.kind, words=step_words(step),
        ways=[] if plain else ways,
        inside=inside.get((number, EnrollmentState.WAITING), 0),
        stuck=inside.get((number, EnrollmentState.STUCK), 0),
        sends=sends.get(step.id),
    )  # fmt: skip
