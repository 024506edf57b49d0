"""What steps do besides leading on: messages, notes on people, other journeys, tasks, asks.

Everything is written for a whole batch at once, in the transaction of its step runs and under keys
that a second run would repeat (law 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import CTE, Select, String, case, exists, func, literal, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session, aliased

from crm.alumni.marking import add_subjects, put_custom
from crm.alumni.models import Alumnus
from crm.core.district import chosen
from crm.core.errors import NotFound
from crm.mail.models import MessageClass
from crm.mail.outbox import queueing
from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.engine.changes import MOMENT, let_in, these
from lifecycle.engine.groups import Group
from lifecycle.engine.holding import opening
from lifecycle.journeys.entry import entry_key, kept_out
from lifecycle.journeys.models import Enrollment, JourneyState, StaffTask
from lifecycle.journeys.queries import document_of, find_journey, live_version
from lifecycle.journeys.steps import AskFor, Enroll, Send, SetFacts, Task
from lifecycle.journeys.world import content_version
from segments.asks.openly import ask_openly

_Other = aliased(Enrollment)


@dataclass(frozen=True)
class Told:
    """How the step turned out for somebody, and why if that needs saying."""

    outcome: str
    reason: str | None = None


NOTHING_TOLD: Mapping[int, Told] = MappingProxyType({})


@dataclass(frozen=True)
class Acted:
    """Messages queued, and the outcome by enrollment where it is not the step's usual one."""

    queued: int = 0
    told: Mapping[int, Told] = field(default_factory=dict)


def act(session: Session, group: Group, ids: Sequence[int], at: datetime) -> Acted:
    """Do what the step does to these locked enrollments, in the caller's transaction.

    Letters are written by the statement that moves people on (`letters`).
    """
    step = group.step
    if isinstance(step, Enroll):
        return Acted(told=_enroll(session, group, step, ids, at))
    if isinstance(step, AskFor):
        return _ask(session, group, step, ids, at)
    if isinstance(step, SetFacts):
        _note(session, group, step, ids, at)
    if isinstance(step, Task):
        _give(session, group, step, ids, at)
    return Acted()


def run_key(group: Group, one: Any = Enrollment) -> Any:
    """What names one run of a step to everything that it writes: `journey:KEY:enrollment:seq`."""
    start = f"journey:{group.document.journey}:"
    return func.concat(start, one.id, ":", one.seq, type_=String())


def letters(session: Session, group: Group, step: Send, due: CTE, at: datetime) -> Insert:
    """One message for each due enrollment, under a key that any rerun would repeat (law 1)."""
    key, number = step.pinned
    version = content_version(session, key, number)
    if version is None:
        raise NotFound("There is no content called “%(content)s”.", content=step.content)
    expires_at = at + timedelta(seconds=step.expires)
    rows: Any = select(due.c.alumnus_id, run_key(group, due.c).label("key"))
    window = None
    if group.document.window is not None:
        window = group.document.window.hours(chosen(session, SchoolCalendar), at, expires_at)
        rows = opening(session, rows, due, window, at)
    return queueing(
        session, rows, message_class=MessageClass.MARKETING, at=at,
        origin=f"journey:{group.document.journey}/{step.id}", version_id=version.id,
        topic_key=step.topic, priority=step.priority, expires_at=expires_at, window=window,
        on_cap=None if step.on_cap == "defer" else step.on_cap,
    )  # fmt: skip


def _people(ids: Sequence[int]) -> Select[Any]:
    return select(Enrollment.alumnus_id).where(Enrollment.id == these(ids))


def _note(session: Session, group: Group, step: SetFacts, ids: Sequence[int], at: datetime) -> None:
    source = f"journey:{group.document.journey}/{step.id}"
    add_subjects(session, _people(ids), step.subjects, source=source, at=at)
    put_custom(session, _people(ids), step.custom, at=at)


def _give(session: Session, group: Group, step: Task, ids: Sequence[int], at: datetime) -> None:
    columns = [
        "journey_id", "enrollment_id", "seq", "alumnus_id", "title", "given_at", "due_at",
    ]  # fmt: skip
    rows = select(
        Enrollment.journey_id, Enrollment.id, Enrollment.seq, Enrollment.alumnus_id,
        literal(step.title), literal(at, MOMENT),
        literal(at + timedelta(seconds=step.due), MOMENT),
    ).where(Enrollment.id == these(ids))  # fmt: skip
    session.execute(insert(StaffTask).from_select(columns, rows, include_defaults=False))


def _enroll(
    session: Session, group: Group, step: Enroll, ids: Sequence[int], at: datetime
) -> Mapping[int, Told]:
    """Let them into the other journey; those it does not take are told with the reason."""
    journey = find_journey(session, step.journey)
    version = live_version(session, journey) if journey else None
    if journey is None or version is None:
        raise NotFound("There is no journey called “%(journey)s”.", journey=step.journey)
    if journey.state is not JourneyState.LIVE:
        return dict.fromkeys(ids, Told("not_entered", journey.state.value))
    document = document_of(version)
    why = kept_out(session, document, journey_id=journey.id, at=at)
    judged = select(Alumnus.id, why).where(Alumnus.id.in_(_people(ids)), why.is_not(None))
    reasons = {person: why for person, why in session.execute(judged)}  # noqa: C416 - rows
    places = select(Enrollment.id, Enrollment.alumnus_id).where(Enrollment.id == these(ids))
    told = {
        place: Told("not_entered", reasons[person])
        for place, person in session.execute(places)
        if person in reasons
    }
    fine = [i for i in ids if i not in told]
    key = entry_key(document, journey_id=journey.id, at=at)
    who = select(Alumnus.id.label("alumnus_id"), key.label("entry_key")).where(
        Alumnus.id.in_(_people(fine))
    )
    let_in(session, version, document, at, who, origin=f"journey:{group.document.journey}")
    here = (_Other.journey_id == journey.id) & (_Other.alumnus_id == Enrollment.alumnus_id)
    entered = exists().where(here, _Other.entered_at == at, _Other.arm.is_(None))
    aside = exists().where(here, _Other.entered_at == at, _Other.arm.is_not(None))
    # Who is kept aside for comparison, or had their one way before, or at this very instant.
    reason = case((aside, "control"), else_="been")
    left = select(Enrollment.id, reason).where(Enrollment.id == these(fine), ~entered)
    return told | {place: Told("not_entered", why) for place, why in session.execute(left)}


def _ask(session: Session, group: Group, step: AskFor, ids: Sequence[int], at: datetime) -> Acted:
    """Ask those who may be asked (law 6); the others are told with what stands in the way."""
    who = select(
        Enrollment.alumnus_id, run_key(group).label("key"), Enrollment.id.label("place")
    ).where(Enrollment.id == these(ids))
    hindered = ask_openly(
        session, who, way_key=step.way, expires_at=at + timedelta(seconds=step.expires), at=at
    )
    told = {place: Told("not_asked", reason) for place, reason in hindered.items()}
    return Acted(len(ids) - len(told), told)
