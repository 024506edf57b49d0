"""One person's way through journeys with the reason of every step (law 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import format_date, format_datetime
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import SYSTEM, Permission, Viewer
from crm.mail.models import Message, MessageState
from crm.mail.reasons import sentence
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import (
    MOVED,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyVersion,
    StepRun,
)
from lifecycle.journeys.outside import why_outside
from lifecycle.journeys.queries import (
    document_of,
    documents_of,
    enrollments_of,
    live_journeys,
    messages_of,
    runs_of,
)
from lifecycle.journeys.words import PLACES, end_words, place_words, run_words

MOST = 10
"""So many journeys that somebody is not in are explained."""


@dataclass(frozen=True)
class Way:
    """One enrollment, told: its journey, where it stands or ended, and its steps as sentences."""

    journey: Journey
    version_no: int
    enrollment: Enrollment
    state: str
    standing: str
    steps: Sequence[tuple[datetime, str]]

    @property
    def let_in_by(self) -> str:
        """Who let the person in, where the journey did not by itself."""
        sort, _colon, key = (self.enrollment.origin or "").partition(":")
        words = {
            "bulk": _("Let in by hand, by a bulk change."), "hand": _("Let in by hand."),
            "journey": _("Let in by the journey “%(key)s”.", key=key),
        }  # fmt: skip
        return words.get(sort, "")


def ways_of(session: Session, alumnus_id: int) -> list[Way]:
    """A person's ways, newest first, in a fixed number of queries for each journey."""
    found = enrollments_of(session, alumnus_id)
    runs = runs_of(session, [row.Enrollment for row in found])
    ways = []
    for enrollment, journey, version in found:
        document = document_of(version)
        sent = messages_of(session, enrollment, journey)
        steps = _told(session, version, document, runs[enrollment.id], sent)
        standing = _standing(enrollment, place_words(document, enrollment.step_no))
        ways.append(
            Way(journey, version.no, enrollment, str(PLACES[enrollment.state]), standing, steps)
        )
    return ways


def _told(
    session: Session, version: JourneyVersion, document: Document, runs: Sequence[StepRun],
    sent: Mapping[int, Message],
) -> list[tuple[datetime, str]]:  # fmt: skip
    """Each run in a sentence, read by the version that the person was on then."""
    documents: dict[str, Document] = {}
    moves = [run for run in runs if run.outcome == MOVED]
    if moves:
        numbers = [int((run.reason or "0").partition(">")[0]) for run in moves]
        documents = documents_of(session, version.journey_id, numbers)
    told, left = [], iter(moves)
    move = next(left, None)
    for run in runs:
        on = documents.get((move.reason or "").partition(">")[0], document) if move else document
        told.append((run.at, _step(on, run, sent.get(run.seq))))
        if run is move:
            move = next(left, None)
    return told


def _step(document: Any, run: StepRun, message: Message | None) -> str:
    told = run_words(document, run)
    return f"{told} {message_words(message)}" if message else told


def message_words(message: Message) -> str:
    """What became of a message, and why it did not go if it did not."""
    if message.state is MessageState.ACCEPTED:
        day = _day(message.accepted_at or message.queued_at)
        return _("It was sent on %(day)s.", day=day)
    if message.state is MessageState.SKIPPED:
        return _("It was not sent: %(why)s.", why=sentence(message.reason))
    if message.state is MessageState.FAILED:
        return _("It could not be sent: %(why)s.", why=sentence(message.reason))
    if message.state is MessageState.QUEUED and message.not_before > message.queued_at:
        return _("It waits to be sent, not before %(when)s.", when=_moment(message.not_before))
    return _("It waits to be sent.")


def _moment(moment: datetime) -> str:
    return str(format_datetime(moment, "medium"))  # type: ignore[no-untyped-call]


def _standing(enrollment: Enrollment, place: str) -> str:
    if enrollment.state is EnrollmentState.ENDED:
        day = _day(enrollment.ended_at or enrollment.entered_at)
        return _("Ended on %(day)s: %(why)s.", day=day, why=end_words(enrollment.end_reason))
    if enrollment.state is EnrollmentState.STUCK:
        return _("Set aside with a fault: %(why)s", why=enrollment.end_reason or "")
    return _("Now: %(place)s, until %(day)s.", place=place, day=_day(enrollment.wake_at))


def _day(moment: datetime) -> str:
    return str(format_date(moment, "long"))  # type: ignore[no-untyped-call]


def alumnus_panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """The journeys a person is or was in; nothing if there are none for this role to see."""
    if not viewer.may(Permission.JOURNEYS_VIEW):
        return None
    ways = ways_of(db.session(), alumnus.id)
    live = live_journeys(db.session())
    open_to = [journey for journey, _version in live]
    if not viewer.may(Permission.JOURNEYS_EDIT) or alumnus.deceased:
        open_to = []
    inside = {way.journey.id for way in ways if way.enrollment.state is not EnrollmentState.ENDED}
    outside = [journey for journey, _version in live if journey.id not in inside]
    if not ways and not outside:
        return None
    return {"ways": ways, "open_to": open_to, "outside": outside[:MOST], "alumnus": alumnus}


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """The journeys' part of the reasons chain: each way, step by step."""
    ways = ways_of(session, alumnus_id)
    for way in ways:
        yield _(
            "Journey %(name)s, version %(no)s: entered on %(day)s. %(standing)s",
            name=way.journey.name, no=way.version_no, day=_day(way.enrollment.entered_at),
            standing=way.standing,
        )  # fmt: skip
        if way.let_in_by:
            yield way.let_in_by
        for moment, told in way.steps:
            yield _("%(day)s: %(told)s", day=_day(moment), told=told)
    inside = {way.journey.id for way in ways}
    others = [pair for pair in live_journeys(session) if pair[0].id not in inside]
    for journey, version in others[:MOST]:
        outside = why_outside(session, journey, version, alumnus_id, SYSTEM, at)
        yield _("Not in the journey %(name)s. %(why)s", name=journey.name, why=outside.words)
