"""A person's answer, and who gets a place: decided one after the other under the event's row lock.

Every yes stands in line first. Whoever is first in line gets a place as soon as their whole party
fits; nobody passes anybody. So places taken never exceed the capacity, and the line keeps its
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Integer, func, select, update
from sqlalchemy.orm import Session

from crm.core.database import among
from crm.core.errors import NotFound
from crm.events import letters
from crm.events.access import lock_event
from crm.events.models import COUNTS, Answer, Event, EventState, Invitation
from crm.events.queries import AHEAD, free
from crm.interactions.models import Mode
from crm.interactions.service import record

MAX_NOTE = 300


class Outcome(StrEnum):
    """What came of an answer."""

    COMING = "coming"
    WAITING = "waiting"
    MAYBE = "maybe"
    DECLINED = "declined"
    NO_ROOM = "no_room"
    LATE = "late"
    OVER = "over"


@dataclass(frozen=True)
class Reply:
    """What somebody answers: `answer` is yes, maybe or no; notes are for the door."""

    answer: str
    guests: int = 0
    guest_names: str = ""
    needs: str = ""


def takes_yes(event: Event, at: datetime) -> bool:
    """Whether somebody may still say yes."""
    timely = event.answer_by is None or at <= event.answer_by
    return event.state is EventState.OPEN and event.starts_at > at and timely


def takes_change(event: Event, at: datetime) -> bool:
    """Whether an answer may still change at all: a place may be freed until it begins."""
    return event.state in AHEAD and event.starts_at > at


def respond(session: Session, invitation_id: int, reply: Reply, *, at: datetime) -> Outcome:
    """Take an answer, and give the places that it frees to the first in line.

    NO_ROOM: more guests than fit; the place stays as it was. LATE: a yes after the deadline. OVER:
    nothing can change any more. Raises `NotFound`.
    """
    known = session.get(Invitation, invitation_id)
    if known is None:
        raise NotFound("There is no such invitation.")
    event = lock_event(session, known.event_id)
    mine = session.get_one(Invitation, invitation_id, populate_existing=True)
    if not takes_change(event, at):
        return Outcome.OVER
    guests = max(0, min(reply.guests, event.guests_allowed))
    if reply.answer == "yes":
        refused = _join(session, event, mine, guests, at)
        if refused is not None:
            return refused
    else:
        mine.answer = Answer.MAYBE if reply.answer == "maybe" else Answer.DECLINED
        mine.guests, mine.in_line_since, mine.placed_at = 0, None, None
    mine.answered_at = at
    mine.needs = reply.needs[:MAX_NOTE]
    mine.guest_names = reply.guest_names[:MAX_NOTE] if mine.guests else ""
    session.flush()
    record(
        session, mine.alumnus_id, occurred_at=at, kind="event_answered", mode=Mode.COMMUNICATION,
        dedupe_key=f"rsvp:{mine.id}:{reply.answer}", school_id=event.school_id,
        origin=f"event:{event.key}", note=event.title,
    )  # fmt: skip
    fill(session, event, at=at, answering=mine)
    return Outcome(mine.answer.value)


def _join(
    session: Session, event: Event, mine: Invitation, guests: int, at: datetime
) -> Outcome | None:
    """Put a yes in line, or change the party of one; why not, if it cannot be."""
    more = guests - mine.guests if mine.answer in {Answer.COMING, Answer.WAITING} else guests + 1
    if more > 0 and not takes_yes(event, at):
        return Outcome.LATE
    if mine.answer is Answer.COMING:
        room = free(session, event)
        if more > 0 and room is not None and (more > room or _somebody_waits(session, event)):
            return Outcome.NO_ROOM
    elif mine.answer is not Answer.WAITING:
        mine.answer, mine.in_line_since = Answer.WAITING, at
    mine.guests = guests
    return None


def _somebody_waits(session: Session, event: Event) -> bool:
    waiting = select(Invitation.id).where(
        Invitation.event_id == event.id, Invitation.answer == Answer.WAITING, COUNTS
    )
    return session.scalar(waiting.limit(1)) is not None


def fill(
    session: Session, event: Event, *, at: datetime, answering: Invitation | None = None
) -> int:
    """Give free places to the first in line, whose event's row is locked; answers to how many.

    Each gets a letter: whoever is `answering` just now the one that confirms, others the one that
    tells of the place.
    """
    if not takes_change(event, at):
        return 0
    line = (Invitation.in_line_since, Invitation.id)
    upto = func.sum(1 + Invitation.guests).over(order_by=line).cast(Integer)
    queue = (
        select(Invitation.id, upto.label("upto"))
        .where(Invitation.event_id == event.id, Invitation.answer == Answer.WAITING, COUNTS)
        .subquery()
    )
    room = free(session, event)
    first = select(queue.c.id)
    if room is not None:
        first = first.where(queue.c.upto <= room)
    placed = session.scalars(
        update(Invitation)
        .where(Invitation.id.in_(first))
        .values(answer=Answer.COMING, placed_at=at)
        .returning(Invitation.id)
        .execution_options(synchronize_session="fetch")
    ).all()
    if placed:
        _tell(session, event, placed, answering.id if answering is not None else 0, at)
    return len(placed)


def _tell(
    session: Session, event: Event, placed: Sequence[int], answering: int, at: datetime
) -> None:
    """Write to whoever got a place just now; the time they came into line makes the key."""
    once = func.extract("epoch", Invitation.in_line_since)
    others = [invitation_id for invitation_id in placed if invitation_id != answering]
    own = [answering] if answering in placed else []
    for content, step, ids in (("event-coming", "coming", own), ("event-place", "place", others)):
        if ids:
            letters.queue_each(
                session, event, among(Invitation.id, ids), content, at=at, step=step, once=once,
                priority=90, expires_at=event.starts_at, calendar=True,
            )  # fmt: skip
