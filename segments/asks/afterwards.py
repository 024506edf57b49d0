"""What came of a promise: attendance, hours, pupils, and the thanks that close the circle."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import structlog
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from crm.accounts.audit import record as note
from crm.alumni.models import Alumnus
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM, Viewer
from crm.interactions.models import Mode
from crm.interactions.service import record
from crm.mail.facts import GONE
from crm.mail.models import Message
from crm.web.moments import spoken, when
from segments.asks.eligibility import DEEDS
from segments.asks.letters import write_to_alumnus
from segments.asks.models import Ask, Commitment, CommitmentState
from segments.asks.service import lock_request
from segments.clearance.policy import ClearancePolicy
from segments.mentoring.rules import MentoringRules
from segments.mentoring.service import MAX_MENTEE, Plan, begin, has_pair
from segments.requests.draft import MOST_PUPILS
from segments.requests.letters import request_words
from segments.requests.life import move
from segments.requests.models import Request, RequestState
from segments.requests.page import zone_of
from segments.requests.queries import dates_of

log = structlog.get_logger(__name__)
MOST_HOURS = Decimal(24)
MAX_FEEDBACK = 1000


def confirm_attendance(
    session: Session,
    commitment: Commitment,
    *,
    attended: bool,
    by: Viewer,
    at: datetime,
    hours: Decimal | None = None,
    pupils: int | None = None,
    feedback: str = "",
) -> None:
    """Note that somebody came (hours, pupils reached, words for them) or did not.

    Somebody who came is thanked at once. Once every promise is settled the request is done. Hours
    default to the length of the visit, pupils to those the request named.
    """
    request = lock_request(session, session.get_one(Request, commitment.request_id))
    session.refresh(commitment)
    if commitment.state is not CommitmentState.PLANNED:
        raise Conflict("What came of this visit is noted already.")
    if commitment.starts_at > at:
        raise Conflict("This visit is still to come.")
    if attended:
        _attended(session, commitment, request, hours, pupils, feedback, at)
    else:
        commitment.state, commitment.feedback = CommitmentState.MISSED, feedback.strip()
    note(
        session, "commitment.confirmed", kind="request", key=request.id, by=by, at=at,
        commitment_id=commitment.id, attended=attended,
        **({"hours": str(commitment.hours), "pupils": commitment.pupils} if attended else {}),
    )  # fmt: skip
    session.flush()
    close_if_settled(session, request, at=at)


def _attended(
    session: Session, commitment: Commitment, request: Request, hours: Decimal | None,
    pupils: int | None, feedback: str, at: datetime,
) -> None:  # fmt: skip
    length = (commitment.ends_at - commitment.starts_at).total_seconds() / 3600
    hours = Decimal(str(round(length, 2))) if hours is None else hours
    pupils = request.pupils if pupils is None else pupils
    if not Decimal() < hours <= MOST_HOURS:
        raise Invalid("Give the hours as a number up to 24.", field="hours")
    if not 0 <= pupils <= MOST_PUPILS:
        raise Invalid(
            "Give the pupils reached, from 0 to %(most)s.", field="pupils", most=MOST_PUPILS
        )
    if len(feedback) > MAX_FEEDBACK:
        raise Invalid("Use at most %(most)s characters.", field="feedback", most=MAX_FEEDBACK)
    commitment.state = CommitmentState.ATTENDED
    commitment.hours, commitment.pupils, commitment.feedback = hours, pupils, feedback.strip()
    record(
        session, commitment.alumnus_id, occurred_at=commitment.starts_at,
        kind=DEEDS.get(request.way_key, "help_given"), mode=Mode.VOLUNTEER, hours=hours,
        pupils=pupils, school_id=request.school_id, note=request.title,
        origin=f"ask:{commitment.ask_id}", dedupe_key=f"commitment:{commitment.id}",
    )  # fmt: skip
    _begin_mentoring(session, commitment, request, at)
    _thank(session, commitment, request, at)


def _begin_mentoring(
    session: Session, commitment: Commitment, request: Request, at: datetime
) -> None:
    """The first meeting took place: where it was to be mentoring, the pair begins."""
    ways = chosen(session, MentoringRules).ways
    if request.way_key not in ways or has_pair(session, commitment.ask_id):
        return
    plan = Plan(
        alumnus_id=commitment.alumnus_id, school_id=request.school_id,
        mentee=request.title[:MAX_MENTEE], weeks=request.weeks,
        starts_on=commitment.starts_at.astimezone(zone_of(session, request)).date(),
        level=chosen(session, ClearancePolicy).needed_level(request.supervision, request.place),
        request_id=request.id,
        ask_id=commitment.ask_id,
    )  # fmt: skip
    try:
        begin(session, plan, by=SYSTEM, at=at)
    except Conflict:
        log.warning("mentoring.not_begun", request=request.id, ask=commitment.ask_id)


def _thank(session: Session, commitment: Commitment, request: Request, at: datetime) -> None:
    """Tell the alumnus what their help led to."""
    person = session.get_one(Alumnus, commitment.alumnus_id)
    language = spoken(person.language)
    time = when(commitment.starts_at, commitment.ends_at, zone_of(session, request), language)
    (words,) = request_words(session, request, language)
    merge = {
        **words, "time": time,
        "pupils_reached": str(commitment.pupils), "feedback": commitment.feedback,
    }  # fmt: skip
    ask = session.get_one(Ask, commitment.ask_id)
    write_to_alumnus(session, ask, "thanks", key="thanks", merge=merge, at=at)
    commitment.thanked_at = at


def close_if_settled(session: Session, request: Request, *, at: datetime) -> None:
    """End a request once nothing of it is still to come or to be confirmed."""
    counted = select(Commitment.state, func.count()).where(Commitment.request_id == request.id)
    states = dict(session.execute(counted.group_by(Commitment.state)).all())
    to_come = states.get(CommitmentState.PLANNED) or states.get(CommitmentState.CLEARING)
    if to_come or request.state not in {
        RequestState.FILLED, RequestState.ASKING, RequestState.APPROVED
    }:  # fmt: skip
        return
    if request.state is not RequestState.FILLED and not _over(session, request, at):
        return
    came = states.get(CommitmentState.ATTENDED, 0)
    move(session, request, RequestState.DONE if came else RequestState.UNFILLED, at=at)
    if not came:
        request.reason = "missed" if states.get(CommitmentState.MISSED) else "dates_passed"
    session.flush()


def _over(session: Session, request: Request, at: datetime) -> bool:
    """Whether no date of the request is still to come."""
    return all(choice.starts_at <= at for choice in dates_of(session, request.id))


def note_thanks(session: Session, at: datetime) -> int:
    """Requests that are done and whose thanks have all left are thanked; answers how many.

    A letter that could not go (no address, a pause) leaves the request for somebody to thank in
    another way and say so: `thank_by_hand`.
    """
    session.flush()
    gone = exists().where(
        Message.key == func.concat("ask:", Commitment.ask_id, ":thanks"), Message.state.in_(GONE)
    )
    owed = exists().where(
        Commitment.request_id == Request.id, Commitment.state == CommitmentState.ATTENDED, ~gone
    )
    statement = (
        update(Request)
        .where(Request.state == RequestState.DONE, ~owed)
        .values(
            state=RequestState.THANKED, since=at, due_at=None, warn_at=None, alarmed_at=None
        )
        .returning(Request.id)
    )  # fmt: skip
    done = session.execute(statement, execution_options={"synchronize_session": False}).all()
    if done:
        session.expire_all()
    return len(done)


def thank_by_hand(session: Session, request: Request, *, by: Viewer, at: datetime) -> None:
    """Note that whoever came was thanked otherwise than by our letter: by phone, in person."""
    request = lock_request(session, request)
    if request.state is not RequestState.DONE:
        raise Conflict("Only a request that is done can be thanked for.")
    move(session, request, RequestState.THANKED, at=at)
    note(session, "request.thanked", kind="request", key=request.id, by=by, at=at)
    session.flush()
