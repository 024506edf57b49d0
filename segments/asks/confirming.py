"""A yes and the clearance it takes: confirmed to both sides, or the clock to be cleared starts."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import force_locale
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.district import chosen
from crm.schools.models import School
from crm.web.moments import day, spoken, when
from segments.asks.calendars import calendar_file
from segments.asks.clearing import still_cleared
from segments.asks.letters import write_to_alumnus
from segments.asks.models import Ask, Commitment, CommitmentState
from segments.asks.queries import contact_of
from segments.clearance.cases import start_case
from segments.clearance.policy import ClearancePolicy
from segments.requests.letters import reader_language, request_words, write_to_school
from segments.requests.models import Request


def confirm_or_clear(
    session: Session, ask: Ask, request: Request, promised: Commitment, *, at: datetime
) -> None:
    """Confirm a promise whose person is cleared; else hold its place until the day before."""
    session.flush()
    if is_cleared(session, promised):
        promised.state, promised.clear_by = CommitmentState.PLANNED, None
        tell_both(session, ask, request, promised, at=at)
        return
    zone = ZoneInfo(session.get_one(School, request.school_id).time_zone)
    promised.state = CommitmentState.CLEARING
    promised.clear_by = promised.starts_at.astimezone(zone).date() - timedelta(days=1)
    policy = chosen(session, ClearancePolicy)
    level = policy.needed_level(request.supervision, request.place)
    start_case(
        session, ask.alumnus_id, level=level, school_id=request.school_id, way_key=request.way_key,
        due_on=promised.clear_by, at=at,
    )  # fmt: skip
    _tell_of_clearing(session, ask, request, promised, level, at=at)
    session.flush()


def is_cleared(session: Session, promised: Commitment) -> bool:
    """Whether the person of a promise holds what it takes, on its day."""
    held = (
        exists()
        .where(Commitment.id == promised.id)
        .where(Request.id == Commitment.request_id, School.id == Request.school_id)
        .where(Alumnus.id == Commitment.alumnus_id, still_cleared(session))
    )
    return bool(session.scalar(select(held)))


def _tell_of_clearing(
    session: Session, ask: Ask, request: Request, promised: Commitment, level: int, *, at: datetime
) -> None:
    """What to prove until when, to the person; to the school, that somebody said yes."""
    person = session.get_one(Alumnus, ask.alumnus_id)
    zone = ZoneInfo(session.get_one(School, request.school_id).time_zone)
    policy, mine = chosen(session, ClearancePolicy), spoken(person.language)
    until = datetime.combine(
        promised.clear_by or promised.starts_at.date(), promised.starts_at.timetz()
    )
    (words,) = request_words(session, request, person.language)
    with force_locale(mine):
        needed = {"level": str(policy.label(level)), "proof": str(policy.proof(level))}
    write_to_alumnus(
        session, ask, "ask-clearing", key=f"clearing:{stamp(at)}", at=at,
        merge={
            **words, **needed, "time": time_of(session, promised, mine),
            "until": day(until, zone, mine),
        },
    )  # fmt: skip
    theirs = reader_language(session, request)
    with force_locale(theirs):
        label = str(policy.label(level))
    write_to_school(
        session, request, "school-clearing", key=f"clearing:{ask.id}:{stamp(at)}", at=at,
        merge={
            "time": time_of(session, promised, theirs), "until": day(until, zone, theirs),
            "level": label,
        },
    )  # fmt: skip


def tell_both(
    session: Session, ask: Ask, request: Request, promised: Commitment, *, at: datetime
) -> None:
    """A confirmation with a calendar file to each side; the school gets the contact data."""
    session.flush()
    person = session.get_one(Alumnus, ask.alumnus_id)
    mine, theirs = spoken(person.language), reader_language(session, request)
    mark = stamp(at)
    (words,) = request_words(session, request, person.language)
    write_to_alumnus(
        session, ask, "ask-confirmed", key=f"confirmed:{mark}", at=at,
        merge={**words, "time": time_of(session, promised, mine)},
        attachments=[calendar_file(session, promised, language=mine, at=at, for_school=False)],
    )  # fmt: skip
    email, phone = contact_of(session, person.id)
    write_to_school(
        session, request, "school-confirmed", key=f"confirmed:{ask.id}:{mark}", at=at,
        merge={
            "person_name": person.full_name, "person_email": email, "person_phone": phone,
            "time": time_of(session, promised, theirs),
        },
        attachments=[calendar_file(session, promised, language=theirs, at=at, for_school=True)],
    )  # fmt: skip


def time_of(session: Session, promised: Commitment, language: str) -> str:
    """When a promised visit is, as one says it."""
    request = session.get_one(Request, promised.request_id)
    zone = ZoneInfo(session.get_one(School, request.school_id).time_zone)
    return when(promised.starts_at, promised.ends_at, zone, language)


def stamp(at: datetime) -> str:
    """A moment as a part of a key."""
    return str(int(at.timestamp()))
