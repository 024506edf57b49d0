"""Publishes, pauses, resumes and stops journeys; what is published never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.consent.models import Topic
from crm.core.errors import Conflict, Refused
from crm.core.viewer import Viewer
from crm.interactions.models import Interaction
from crm.mail.content import latest_version, shipped_keys, shipped_version, variants_of
from crm.mail.fields import FieldError, slots
from crm.mail.models import Content, ContentVersion
from crm.mail.values import known_fields
from crm.query import QueryError
from crm.query.errors import nearest
from lifecycle.journeys.checks import Fault
from lifecycle.journeys.definition import Branch, Document, Send, WaitFor
from lifecycle.journeys.entry import entrants, meaning
from lifecycle.journeys.models import (
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.queries import find_journey, live_version, load_journey
from lifecycle.journeys.reading import locate, read_document

KINDS = frozenset(
    {
        "profile_updated", "link_clicked", "replied", "ask_answered", "event_attended",
        "talk_given", "mentoring", "help_given", "gift",
    }
)  # fmt: skip
"""Interactions that the program itself records; a journey may also wait for imported kinds."""

MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Checked:
    """A journey fit to publish: who would enter now (counted up to 10,000), and if it is new."""

    document: Document
    entering: int
    more: bool
    unchanged: bool


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
    problems = locate(text, name, list(_world_faults(session, document, at)))
    if problems:
        raise Refused(problems)
    who = entrants(session, document, journey_id=journey.id if journey else None, at=at)
    some = who.limit(MOST_COUNTED + 1).subquery()
    found = session.scalars(select(func.count()).select_from(some)).one()
    live = live_version(session, journey) if journey else None
    same = live is not None and live.sha256 == document.sha256
    return Checked(document, min(found, MOST_COUNTED), found > MOST_COUNTED, same)


def _world_faults(session: Session, document: Document, at: datetime) -> Iterator[Fault]:
    """What the journey names and the district does not have."""
    queries: list[tuple[str, int | None, tuple[str | int, ...]]] = [
        (document.enter.when, None, ("enter", "when"))
    ]
    if document.exit:
        queries.append((document.exit, None, ("exit",)))
    if document.goal:
        yield from _kind_faults(session, document.goal, None, "goal")
    for number, step in enumerate(document.steps):
        if isinstance(step, Branch):
            queries.extend((arm.when, number, ("branch", n)) for n, arm in enumerate(step.arms))
        if isinstance(step, WaitFor):
            yield from _kind_faults(session, step.interaction, number, "wait_for")
        if isinstance(step, Send):
            yield from _send_faults(session, step, number)
    for query, place, path in queries:
        try:
            meaning(session, query, at)
        except QueryError as error:
            yield Fault(
                f"the query “{query}”, character {error.position + 1}: {error}", place, path
            )


def _kind_faults(session: Session, kind: str, step: int | None, word: str) -> Iterator[Fault]:
    if kind in KINDS or session.scalar(select(exists().where(Interaction.kind == kind))):
        return
    close = nearest(kind, KINDS)
    hint = f"; did you mean {close}?" if close else ""
    yield Fault(f"no interaction of the kind “{kind}” was ever recorded{hint}", step, (word,))


def _send_faults(session: Session, step: Send, number: int) -> Iterator[Fault]:
    if session.get(Topic, step.topic) is None:
        yield Fault(f"there is no topic “{step.topic}”", number, ("topic",))
    key, pinned = step.pinned
    version = content_version(session, key, pinned)
    if version is None:
        if pinned is None and key in shipped_keys():
            return
        yield Fault(f"there is no content “{step.content}”", number, ("send",))
        return
    for language, variant in variants_of(session, version.id).items():
        for part in (variant.subject, variant.preheader, variant.body):
            yield from _field_faults(step, language, part, number)


def _field_faults(step: Send, language: str, text: str, number: int) -> Iterator[Fault]:
    """Merge fields that only another kind of message could fill."""
    try:
        unknown = {slot.name for slot in slots(text)} - known_fields()
    except FieldError as error:
        yield Fault(f"content {step.content} ({language}): {error}", number, ("send",))
        return
    for name in sorted(unknown):
        message = f"content {step.content} ({language}) needs “{name}”, which a journey cannot fill"
        yield Fault(message, number, ("send",))


def content_version(session: Session, key: str, number: int | None) -> ContentVersion | None:
    """The newest version of a content, or the one of that number."""
    if number is None:
        return latest_version(session, key)
    statement = (
        select(ContentVersion)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(Content.key == key, ContentVersion.no == number)
    )
    return session.scalars(statement).one_or_none()


def publish(session: Session, text: str, *, name: str, by: Viewer, at: datetime) -> Published:
    """Make a checked journey live for new people; those inside stay on the version they entered.

    An identical document makes no new version. A paused journey stays paused, a stopped one runs
    again. Raises `Refused` with each fault at its line.
    """
    document = check(session, text, name=name, at=at).document
    for step in document.steps:
        if isinstance(step, Send) and step.pinned[1] is None:
            shipped_version(session, step.pinned[0], at)
    journey = _journey(session, document, at)
    journey.name, journey.goal, journey.checked_at = document.name, document.serves, None
    if journey.state is JourneyState.STOPPED:
        journey.state = JourneyState.LIVE
    live = live_version(session, journey)
    if live is not None and live.sha256 == document.sha256:
        session.flush()
        return Published(journey, live, created=False)
    last = select(func.max(JourneyVersion.no)).where(JourneyVersion.journey_id == journey.id)
    version = JourneyVersion(
        journey_id=journey.id, no=(session.scalar(last) or 0) + 1, document=document.canonical,
        sha256=document.sha256, source=text, steps=len(document.steps), published_at=at,
        published_by=by.user_id,
    )  # fmt: skip
    session.add(version)
    session.flush()
    journey.live_version_id = version.id
    audit.record(
        session, "publish", kind="journey", key=journey.key, by=by, at=at, version=version.no
    )
    session.flush()
    return Published(journey, version, created=True)


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
        raise Conflict(f"The journey “{journey.key}” is {journey.state.value} already.")
    journey.state = state
    audit.record(session, state.value, kind="journey", key=journey.key, by=by, at=at)
    session.flush()
