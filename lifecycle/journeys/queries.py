"""Reads of journeys: versions, people inside by step, what was sent, one person's way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.errors import NotFound
from crm.core.viewer import Permission, Viewer
from crm.mail.models import Message, MessageState
from crm.web.paging import Page, keyset
from lifecycle.journeys.definition import Document, stored
from lifecycle.journeys.models import (
    IS_WAITING,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
    StepRun,
)
from lifecycle.journeys.steps import Send

WAITING = frozenset(
    {
        MessageState.QUEUED, MessageState.CLAIMED, MessageState.UNCERTAIN,
        MessageState.CANCELLING,
    }
)  # fmt: skip

STANDING = {
    EnrollmentState.WAITING: IS_WAITING,
    EnrollmentState.STUCK: Enrollment.state == literal_column("'stuck'"),
}


@dataclass
class Sends:
    """Where the messages of one step ended up: sent + skipped by reason + waiting = decided."""

    sent: int = 0
    waiting: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def decided(self) -> int:
        """Every message the step decided."""
        return self.sent + self.waiting + sum(self.skipped.values())


def find_journey(session: Session, key: str, *, lock: bool = False) -> Journey | None:
    """The journey of that key, if there is one."""
    if "\x00" in key:
        return None
    statement = select(Journey).where(Journey.key == key)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).one_or_none()


def load_journey(session: Session, key: str, *, lock: bool = False) -> Journey:
    """The journey of that key; `NotFound` if there is none."""
    journey = find_journey(session, key, lock=lock)
    if journey is None:
        raise NotFound("There is no journey called “%(key)s”.", key=key[:60])
    return journey


def live_version(session: Session, journey: Journey) -> JourneyVersion | None:
    """The version that new people enter."""
    if journey.live_version_id is None:
        return None
    return session.get(JourneyVersion, journey.live_version_id)


def versions_of(session: Session, journey: Journey) -> Sequence[JourneyVersion]:
    """Every version, newest first."""
    statement = select(JourneyVersion).where(JourneyVersion.journey_id == journey.id)
    return session.scalars(statement.order_by(JourneyVersion.no.desc()).limit(200)).all()


def load_version(session: Session, journey: Journey, number: int) -> JourneyVersion:
    """The version of that number; `NotFound` if there is none."""
    statement = select(JourneyVersion).where(
        JourneyVersion.journey_id == journey.id, JourneyVersion.no == min(number, 2**31 - 1)
    )
    version = session.scalars(statement).one_or_none()
    if version is None:
        raise NotFound(
            "The journey “%(key)s” has no version %(number)s.", key=journey.key, number=number
        )
    return version


def journeys_page(session: Session, *, after: str | None = None) -> Page[Any]:
    """Journeys by key."""
    return keyset(session, select(Journey), [Journey.key], after=after)


def live_journeys(session: Session) -> Sequence[tuple[Journey, JourneyVersion]]:
    """Journeys that take people in, each with the version they enter."""
    statement = (
        select(Journey, JourneyVersion)
        .join(JourneyVersion, JourneyVersion.id == Journey.live_version_id)
        .where(Journey.state == JourneyState.LIVE)
        .order_by(Journey.id)
    )
    return [(journey, version) for journey, version in session.execute(statement)]


def document_of(version: JourneyVersion) -> Document:
    """The journey that a version is."""
    return stored(version.document)


def documents_of(session: Session, journey_id: int, numbers: Sequence[int]) -> dict[str, Document]:
    """Versions of a journey by their number, as text."""
    statement = select(JourneyVersion).where(
        JourneyVersion.journey_id == journey_id, JourneyVersion.no.in_(numbers)
    )
    return {str(version.no): document_of(version) for version in session.scalars(statement)}


def scoped(statement: Any, column: Any, viewer: Viewer) -> Any:
    """The statement within the viewer's wall; the whole district needs no join at all."""
    if viewer.sees_district and viewer.may(Permission.BLOCKED_VIEW):
        return statement
    return statement.join(Alumnus, Alumnus.id == column).where(visible_alumni(viewer))


def inside_by_step(
    session: Session, version: JourneyVersion, viewer: Viewer
) -> Mapping[tuple[int, EnrollmentState], int]:
    """How many people stand at each step of a version, waiting or set aside."""
    found: dict[tuple[int, EnrollmentState], int] = {}
    for state, condition in STANDING.items():
        statement = select(Enrollment.step_no, func.count().label("number")).where(
            Enrollment.version_id == version.id, condition
        )
        inside = scoped(statement, Enrollment.alumnus_id, viewer).group_by(Enrollment.step_no)
        found |= {(row.step_no, state): row.number for row in session.execute(inside)}
    return found


def totals(session: Session, journey: Journey, viewer: Viewer) -> dict[str, int]:
    """How many entered, are inside, set aside, ended, and reached the goal."""
    state = Enrollment.state
    statement = select(
        func.count(),
        func.count().filter(state == EnrollmentState.WAITING),
        func.count().filter(state == EnrollmentState.STUCK),
        func.count().filter(state == EnrollmentState.ENDED),
        func.count(Enrollment.goal_at),
    ).where(Enrollment.journey_id == journey.id, Enrollment.arm.is_(None))
    names = ("entered", "inside", "stuck", "ended", "goal")
    row = session.execute(scoped(statement, Enrollment.alumnus_id, viewer)).one()
    return dict(zip(names, row, strict=True))


def sends_of(
    session: Session, journey: Journey, steps: Sequence[str], viewer: Viewer
) -> dict[str, Sends]:
    """What became of the messages of each of these steps, over all versions."""
    origins = {f"journey:{journey.key}/{step}": step for step in steps}
    statement = select(Message.origin, Message.state, Message.reason, func.count()).where(
        Message.origin.in_(origins)
    )
    within = scoped(statement, Message.alumnus_id, viewer)
    found = {step: Sends() for step in steps}
    grouped = within.group_by(Message.origin, Message.state, Message.reason)
    for origin, state, reason, number in session.execute(grouped):
        sends = found[origins[origin]]
        if state in WAITING:
            sends.waiting += number
        elif state is MessageState.ACCEPTED:
            sends.sent += number
        else:
            word = reason or state.value
            sends.skipped[word] = sends.skipped.get(word, 0) + number
    return found


def send_steps(versions: Sequence[JourneyVersion]) -> list[str]:
    """The ids of all sending steps of these versions, in the order of the first that has them."""
    found: dict[str, None] = {}
    for version in versions:
        for step in document_of(version).steps:
            if isinstance(step, Send):
                found.setdefault(step.id)
    return list(found)


def people_at(
    session: Session,
    version: JourneyVersion,
    step_no: int,
    viewer: Viewer,
    *,
    state: EnrollmentState = EnrollmentState.WAITING,
    after: str | None = None,
) -> Page[Any]:
    """The people whom this viewer may know of at one step, by when they move on.

    `state` is waiting or stuck: nobody stands at a step when their way has ended.
    """
    statement = (
        select(Enrollment, Alumnus)
        .join(Alumnus, Alumnus.id == Enrollment.alumnus_id)
        .where(
            Enrollment.version_id == version.id,
            Enrollment.step_no == step_no,
            STANDING[state],
            visible_alumni(viewer),
        )
    )
    return keyset(session, statement, [Enrollment.wake_at, Enrollment.id], after=after)


def enrollments_of(session: Session, alumnus_id: int, limit: int = 20) -> Sequence[Any]:
    """A person's enrollments with journey and version, newest first."""
    statement = (
        select(Enrollment, Journey, JourneyVersion)
        .join(Journey, Journey.id == Enrollment.journey_id)
        .join(JourneyVersion, JourneyVersion.id == Enrollment.version_id)
        .where(Enrollment.alumnus_id == alumnus_id)
        .order_by(Enrollment.entered_at.desc(), Enrollment.id.desc())
        .limit(limit)
    )
    return session.execute(statement).all()


def runs_of(session: Session, enrollments: Sequence[Enrollment]) -> dict[int, list[StepRun]]:
    """The steps each of these enrollments ran, in order."""
    statement = (
        select(StepRun)
        .where(
            StepRun.enrollment_id.in_([one.id for one in enrollments]),
            StepRun.entered_on.in_({one.entered_at.date() for one in enrollments}),
        )
        .order_by(StepRun.enrollment_id, StepRun.seq)
    )
    found: dict[int, list[StepRun]] = {one.id: [] for one in enrollments}
    for run in session.scalars(statement):
        found[run.enrollment_id].append(run)
    return found


def messages_of(session: Session, enrollment: Enrollment, journey: Journey) -> dict[int, Message]:
    """The messages an enrollment decided, by the number of the step run."""
    prefix = f"journey:{journey.key}:{enrollment.id}:"
    statement = select(Message).where(
        Message.alumnus_id == enrollment.alumnus_id, Message.key.startswith(prefix, autoescape=True)
    )
    return {int(m.key.removeprefix(prefix)): m for m in session.scalars(statement)}
