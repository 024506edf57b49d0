"""The alarm before a request is late: one letter to whom it concerns, once for each state.

The school writes the draft; everything else concerns the office (`requests.office`). The school is
asked how a visit was by a letter of its own; only if it stays silent, the office hears of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import force_locale
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message
from crm.schools.models import School
from crm.web.moments import spoken
from segments.requests.letters import request_words
from segments.requests.life import TURN
from segments.requests.models import Request, RequestState
from segments.requests.office import office_of
from segments.requests.words import STATES, day_in, next_step

CONTENT = "request-due"
BATCH = 500


def raise_alarms(session: Session, at: datetime) -> int:
    """Tell whom it concerns of each request that is nearly due or late; answers how many letters.

    A request is marked with its letters in one transaction, so that none is told of twice.
    """
    statement = (
        select(Request, School)
        .join(School, School.id == Request.school_id)
        .where(Request.warn_at <= at, Request.alarmed_at.is_(None), Request.state.in_(TURN))
        .order_by(Request.warn_at, Request.id)
        .limit(BATCH)
        .with_for_update(of=Request, skip_locked=True)
    )
    rows = session.execute(statement).all()
    if not rows:
        return 0
    offices = office_of(session, {school.id for _request, school in rows})
    posters = _posters(session, [request for request, _school in rows])
    sent = 0
    for request, school in rows:
        request.alarmed_at = at
        told = offices[school.id]
        if request.state is RequestState.DRAFT:
            poster = posters.get(request.created_by or 0)
            told = [poster] if poster is not None else []
        for user in told:
            _write(session, request, school, user, at)
            sent += 1
    session.flush()
    return sent


def _posters(session: Session, requests: Sequence[Request]) -> Mapping[int, User]:
    ids = [request.created_by for request in requests if request.created_by is not None]
    users = session.scalars(select(User).where(User.id.in_(ids), User.active))
    return {user.id: user for user in users}


def _write(session: Session, request: Request, school: School, user: User, at: datetime) -> None:
    language = spoken(user.language)
    (words,) = request_words(session, request, language)
    with force_locale(language):
        zone = ZoneInfo(school.time_zone)
        merge: dict[str, Any] = {
            **words, "name": user.name, "state": str(STATES[request.state]),
            "next_step": next_step(request, zone.key, at), "due": day_in(request.due_at, zone.key),
        }  # fmt: skip
    since = int(request.since.timestamp())
    queue_message(
        session, key=f"request:{request.id}:due:{request.state.value}:{since}:{user.id}",
        alumnus_id=None, to_address=user.email, origin=f"request:{request.id}", topic_key=None,
        version_id=shipped_version(session, CONTENT, at), message_class=MessageClass.IMMEDIATE,
        language=user.language, merge=merge, at=at,
    )  # fmt: skip
