"""Promises whose person is being cleared: confirmed once they are, given back when time is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.schools.models import School
from segments.asks.answers import take_back
from segments.asks.clearing import still_cleared
from segments.asks.confirming import confirm_or_clear, stamp
from segments.asks.letters import write_to_alumnus
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.service import lock_request
from segments.requests.letters import request_words
from segments.requests.models import Request

BATCH = 500
LATE = "not_cleared_in_time"


def settle_clearing(session: Session, at: datetime) -> tuple[int, int]:
    """(confirmed, given back): each person and school is told; safe to repeat."""
    cleared = _clearing(session, still_cleared(session))
    for commitment_id, request_id in cleared:
        request, promised, ask = _held(session, commitment_id, request_id)
        if promised.state is CommitmentState.CLEARING:
            confirm_or_clear(session, ask, request, promised, at=at)
    today = func.date(func.timezone(School.time_zone, at))
    late = _clearing(session, Commitment.clear_by < today)
    for commitment_id, request_id in late:
        request, promised, ask = _held(session, commitment_id, request_id)
        if promised.state is CommitmentState.CLEARING:
            _give_back(session, ask, request, promised, at)
    session.flush()
    return len(cleared), len(late)


def _clearing(session: Session, condition: ColumnElement[bool]) -> Sequence[Any]:
    statement = (
        select(Commitment.id, Commitment.request_id)
        .join(Request, Request.id == Commitment.request_id)
        .join(School, School.id == Request.school_id)
        .join(Alumnus, Alumnus.id == Commitment.alumnus_id)
        .where(Commitment.state == CommitmentState.CLEARING, condition)
        .order_by(Commitment.id)
        .limit(BATCH)
    )
    return session.execute(statement).all()


def _held(session: Session, commitment_id: int, request_id: int) -> tuple[Request, Commitment, Ask]:
    request = lock_request(session, session.get_one(Request, request_id))
    promised = session.get_one(Commitment, commitment_id, populate_existing=True)
    return request, promised, session.get_one(Ask, promised.ask_id)


def _give_back(
    session: Session, ask: Ask, request: Request, promised: Commitment, at: datetime
) -> None:
    """The clearance did not come in time: the place is free, and both sides learn why."""
    take_back(session, ask, request, promised, at=at)
    ask.state, ask.note = AskState.RELEASED, LATE
    (words,) = request_words(
        session, request, session.get_one(Alumnus, ask.alumnus_id).language
    )  # fmt: skip
    write_to_alumnus(
        session, ask, "ask-clear-late", key=f"clear-late:{stamp(at)}", merge=words, at=at
    )
