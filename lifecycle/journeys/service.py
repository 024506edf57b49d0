"""Publishes, pauses, resumes and stops journeys; what is published never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict, Refused
from crm.core.viewer import Viewer
from crm.mail.content import shipped_version
from lifecycle.journeys.definition import Document
from lifecycle.journeys.differing import differences
from lifecycle.journeys.entry import entrants
from lifecycle.journeys.models import (
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.queries import document_of, find_journey, live_version, load_journey
from lifecycle.journeys.reading import locate, read_document
from lifecycle.journeys.steps import Send
from lifecycle.journeys.takeover import Standing, Takeover, check_takeover, those_inside
from lifecycle.journeys.world import world_faults

MOST_COUNTED = 10_000
ALREADY = {
    JourneyState.LIVE: "The journey “%(key)s” runs already.",
    JourneyState.PAUSED: "The journey “%(key)s” is paused already.",
    JourneyState.STOPPED: "The journey “%(key)s” is stopped already.",
}


@dataclass(frozen=True)
class Checked:
    """A journey fit to publish: who would enter now (counted up to 10,000), if it is new, who is
    inside the versions before, and what it says otherwise than the live one."""

    document: Document
    entering: int
    more: bool
    unchanged: bool
    inside: Sequence[Standing] = ()
    changes: Sequence[str] = ()


@dataclass(frozen=True)
class Published:
    """A journey with the version that is live now; `created` is False for an identical document."""

    journey: Journey
    version: JourneyVersion
    created: bool


def check(session: Session, text: str, *, name: str, at: datetime) -> Checked:
    """Check a journey against everything it names; raises `Refused` with each fault at its line."""
    document = read_document(text, name)
    journey = find_journey(session, document.journey)
    problems = locate(text, name, list(world_faults(session, document, at)))
    if problems:
        raise Refused(problems)
    who = entrants(session, document, journey_id=journey.id if journey else None, at=at)
    some = who.limit(MOST_COUNTED + 1).subquery()
    found = session.scalars(select(func.count()).select_from(some)).one()
    live = live_version(session, journey) if journey else None
    same = live is not None and document_of(live) == document
    inside = those_inside(session, journey, document) if journey else []
    changes = differences(document_of(live), document) if live else []
    return Checked(document, min(found, MOST_COUNTED), found > MOST_COUNTED, same, inside, changes)


def publish(
    session: Session, text: str, *, name: str, by: Viewer, at: datetime,
    takeover: Takeover | None = None,
) -> Published:  # fmt: skip
    """Make a checked journey live for new people; what becomes of those inside says `takeover`.

    An identical document makes no new version. A paused journey stays paused, a stopped one runs
    again. Raises `Refused` with each fault at its line.
    """
    checked = check(session, text, name=name, at=at)
    document = checked.document
    takeover = takeover or Takeover()
    check_takeover(checked.inside, document, takeover)
    for step in document.steps:
        if isinstance(step, Send) and step.pinned[1] is None:
            shipped_version(session, step.pinned[0], at)
    journey = _journey(session, document, at)
    journey.name, journey.goal, journey.checked_at = document.name, document.serves, None
    if journey.state is JourneyState.STOPPED:
        journey.state = JourneyState.LIVE
    live = live_version(session, journey)
    if live is not None and document_of(live) == document:
        session.flush()
        return Published(journey, live, created=False)
    last = select(func.max(JourneyVersion.no)).where(JourneyVersion.journey_id == journey.id)
    version = JourneyVersion(
        journey_id=journey.id, no=(session.scalar(last) or 0) + 1, document=document.canonical,
        sha256=document.sha256, source=text, steps=len(document.steps), published_at=at,
        published_by=by.user_id, events_from=_listening(live, document, at),
        takeover=takeover.plain(),
    )  # fmt: skip
    session.add(version)
    session.flush()
    journey.live_version_id = version.id
    audit.record(
        session, "publish", kind="journey", key=journey.key, by=by, at=at, version=version.no,
        inside=takeover.inside,
    )  # fmt: skip
    session.flush()
    return Published(journey, version, created=True)


def _listening(live: JourneyVersion | None, document: Document, at: datetime) -> datetime:
    """Since when what happens lets people in: a version that listens to the same goes on."""
    if live is not None and document_of(live).enter.listens == document.enter.listens:
        return live.events_from or live.published_at
    return at


def _journey(session: Session, document: Document, at: datetime) -> Journey:
    """The journey's row, locked, made if need be."""
    row = insert(Journey).values(
        key=document.journey, name=document.name, goal=document.serves, state=JourneyState.LIVE,
        created_at=at,
    )  # fmt: skip
    session.execute(row.on_conflict_do_nothing(index_elements=[Journey.key]))
    return load_journey(session, document.journey, lock=True)


def pause(session: Session, journey: Journey, *, by: Viewer, at: datetime) -> None:
    """Let nobody in and nobody on; everybody keeps their place."""
    _change(session, journey, JourneyState.PAUSED, {JourneyState.LIVE}, by=by, at=at)


def resume(session: Session, journey: Journey, *, by: Viewer, at: datetime) -> None:
    """Go on; everybody is held against the entry query again at the next tick."""
    _change(session, journey, JourneyState.LIVE, {JourneyState.PAUSED}, by=by, at=at)
    journey.checked_at = None
    session.flush()


def stop(session: Session, journey: Journey, *, by: Viewer, at: datetime) -> None:
    """End it: the next tick lets everybody out, and what was not yet handed over is not sent."""
    known = {JourneyState.LIVE, JourneyState.PAUSED}
    _change(session, journey, JourneyState.STOPPED, known, by=by, at=at)


def retry_stuck(session: Session, journey: Journey, *, by: Viewer, at: datetime) -> int:
    """Let everybody who was set aside try their step again; answers how many."""
    statement = (
        update(Enrollment)
        .where(
            Enrollment.journey_id == journey.id,
            Enrollment.state == literal_column("'stuck'"),
        )
        .values(state=EnrollmentState.WAITING, wake_at=at, end_reason=None)
        .returning(Enrollment.id)
    )
    options = {"synchronize_session": False}
    freed = len(session.scalars(statement, execution_options=options).all())
    if freed:
        audit.record(session, "retry", kind="journey", key=journey.key, by=by, at=at, people=freed)
    session.flush()
    return freed


def _change(
    session: Session,
    journey: Journey,
    state: JourneyState,
    known: set[JourneyState],
    *,
    by: Viewer,
    at: datetime,
) -> None:
    if journey.state not in known:
        raise Conflict(ALREADY[journey.state], key=journey.key)
    journey.state = state
    audit.record(session, state.value, kind="journey", key=journey.key, by=by, at=at)
    session.flush()
