"""Moves every request on as far as time allows; an edge: commits step by step, safe to repeat.

Holds run out, letters that did not go call their asks off, the next wave goes where a request was
left to run by itself, both sides are reminded, what is past is closed, and whoever should act is
told before a request is late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM
from crm.mail.models import Message
from crm.schools.models import School
from crm.web.moments import spoken, when
from segments.asks.afterwards import close_if_settled, note_thanks
from segments.asks.letters import write_to_alumnus
from segments.asks.models import Ask, Commitment, CommitmentState
from segments.asks.queries import ask_counts
from segments.asks.service import expire_holds, lock_request, send_wave, settle_unsent
from segments.asks.waiting import settle_clearing
from segments.clearance.cases import end_cases
from segments.desk.alarms import raise_alarms
from segments.desk.queries import past_ones, to_move_on
from segments.desk.together import Proposal, propose
from segments.requests.letters import request_words, write_to_school
from segments.requests.life import move
from segments.requests.models import Request, RequestState
from segments.requests.service import ASKABLE

log = structlog.get_logger(__name__)
REMIND_AHEAD = timedelta(hours=48)
ASK_AFTER = timedelta(hours=12)
ASK_UNTIL = timedelta(days=30)
FRESH = timedelta(hours=24)
TOGETHER = 200
"""So many requests at most are solved together."""


@dataclass
class Advanced:
    """What one run did."""

    expired: int = 0
    cancelled: int = 0
    waves: int = 0
    asked: int = 0
    reminded: int = 0
    closed: int = 0
    thanked: int = 0
    alarms: int = 0
    cleared: int = 0
    given_back: int = 0

    def plain(self) -> dict[str, int]:
        """The figures by name."""
        return asdict(self)


def advance(at: datetime) -> Advanced:
    """Do what is due at this moment; each step commits, each request by itself."""
    session, done = db.session(), Advanced()
    done.cancelled = settle_unsent(session)
    done.expired = expire_holds(session, at)
    session.commit()
    done.cancelled += settle_unsent(session)
    session.commit()
    done.cleared, done.given_back = settle_clearing(session, at)
    end_cases(session, at)
    session.commit()
    waiting = to_move_on(session, at)
    for start in range(0, len(waiting), TOGETHER):
        _next_waves(session, waiting[start : start + TOGETHER], done, at)
    done.reminded = remind_people(session, at) + remind_schools(session, at)
    session.commit()
    for request_id in past_ones(session, at):
        _each(session, request_id, lambda request: _close(session, request, done, at))
    done.thanked = note_thanks(session, at)
    session.commit()
    done.alarms = raise_alarms(session, at)
    session.commit()
    return done


def _each(session: Session, request_id: int, act: Callable[[Request], None]) -> None:
    """Act on one request; what one of them refuses never stops the others."""
    try:
        act(lock_request(session, session.get_one(Request, request_id)))
        session.commit()
    except (Conflict, Invalid) as error:
        session.rollback()
        log.warning("desk.skipped", request=request_id, why=type(error).__name__)


def _next_waves(session: Session, ids: Sequence[int], done: Advanced, at: datetime) -> None:
    """Ask for several requests at once whom solving them together gives to each."""
    wanted = select(Request).where(Request.id.in_(ids)).order_by(Request.created_at, Request.id)
    for proposal in propose(session, session.scalars(wanted).all(), at=at):
        _each(session, proposal.request_id, partial(_ask, session, proposal, done, at))


def _ask(
    session: Session, proposal: Proposal, done: Advanced, at: datetime, request: Request
) -> None:
    """The proposed wave of a request, or the honest word that nobody is left.

    One whose people were all given to others waits until they have answered.
    """
    if request.state not in ASKABLE:
        return
    if not proposal.picks:
        request.reason = "nobody_left" if proposal.exhausted else request.reason
        return
    sent = send_wave(session, request, proposal.picks, by=SYSTEM, at=at)
    done.waves += bool(sent.asked)
    done.asked += len(sent.asked)


def _close(session: Session, request: Request, done: Advanced, at: datetime) -> None:
    """End a request whose dates are over, and say so to the school if nobody was found."""
    if request.state is RequestState.SUBMITTED:
        move(session, request, RequestState.UNFILLED, at=at)
        request.reason = "dates_passed"
    else:
        close_if_settled(session, request, at=at)
    if request.state is RequestState.UNFILLED:
        asked = str(sum(ask_counts(session, request.id).values()))
        write_to_school(
            session, request, "request-unfilled", key="unfilled", merge={"asked": asked}, at=at
        )
    done.closed += request.closed_at == at


def remind_people(session: Session, at: datetime) -> int:
    """Remind everybody whose visit is near, once; answers how many."""
    rows = _promises(session, "ask:", ":reminder", Commitment.ask_id, at, near=True)
    for row in rows:
        commitment, ask, person, request, zone = row
        language = spoken(person.language)
        time = when(commitment.starts_at, commitment.ends_at, ZoneInfo(zone), language)
        (words,) = request_words(session, request, person.language)
        write_to_alumnus(
            session, ask, "visit-reminder", key="reminder", merge={**words, "time": time}, at=at,
            expires_at=commitment.starts_at,
        )  # fmt: skip
    return len(rows)


def remind_schools(session: Session, at: datetime) -> int:
    """Ask every school how a visit was, once; answers how many."""
    rows = _promises(session, "request:", ":attendance:", Commitment.request_id, at, near=False)
    for commitment, _ask, person, request, _zone in rows:
        write_to_school(
            session, request, "attendance-reminder", key=f"attendance:{commitment.id}",
            merge={"person_name": person.full_name}, at=at,
        )  # fmt: skip
    return len(rows)


def _promises(
    session: Session, prefix: str, suffix: str, owner: object, at: datetime, *, near: bool
) -> list[Row[Commitment, Ask, Alumnus, Request, str]]:
    """Promises just ahead, or just over, about which no letter was queued yet."""
    key = func.concat(prefix, owner, suffix, *(() if near else (Commitment.id,)))
    statement = (
        select(Commitment, Ask, Alumnus, Request, School.time_zone)
        .join(Ask, Ask.id == Commitment.ask_id)
        .join(Alumnus, Alumnus.id == Commitment.alumnus_id)
        .join(Request, Request.id == Commitment.request_id)
        .join(School, School.id == Request.school_id)
        .where(Commitment.state == CommitmentState.PLANNED)
        .where(~select(Message.id).where(Message.key == key).exists())
        .order_by(Commitment.id)
        .limit(1000)
    )
    if near:
        ahead = Commitment.starts_at.between(at, at + REMIND_AHEAD)
        statement = statement.where(ahead, Ask.answered_at <= at - FRESH)
    else:
        over = Commitment.ends_at.between(at - ASK_UNTIL, at - ASK_AFTER)
        active = select(User.id).where(User.active)
        statement = statement.where(over, Request.created_by.in_(active))
    return list(session.execute(statement))
