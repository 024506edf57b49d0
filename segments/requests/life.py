"""The life of a request: how long each state may last, whose turn it is, and when it is due.

`move` is the one way from a state to the next. Due times are kept with the row, so that lists and
alarms are an index away; `recount` brings them up to date when the district chooses others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from crm.core.database import UTCDateTime
from crm.core.district import Choices, chosen
from segments.requests.extend import request_extensions
from segments.requests.models import Request, RequestDate, RequestState

MOST_DAYS = 120
SCHOOL, OFFICE = "school", "office"
TURN: Mapping[RequestState, str] = {
    RequestState.DRAFT: SCHOOL,
    RequestState.SUBMITTED: OFFICE,
    RequestState.APPROVED: OFFICE,
    RequestState.ASKING: OFFICE,
    RequestState.FILLED: SCHOOL,
    RequestState.DONE: OFFICE,
}
"""The states that wait for somebody, in the order of a request's life, and for whom."""
ENDED = frozenset({RequestState.UNFILLED, RequestState.CANCELLED, RequestState.THANKED})
CLOSED = ENDED | {RequestState.DONE}


class RequestTimes(Choices):
    """How many days a request may stay in each state, and how near its first date may come.

    `filled` counts from the end of the visit, `done` from the school's word on it. `ahead` is how
    long before its time is over somebody is told.
    """

    key: ClassVar[str] = "request_times"
    draft: int = Field(default=7, ge=1, le=MOST_DAYS)
    submitted: int = Field(default=2, ge=1, le=MOST_DAYS)
    approved: int = Field(default=2, ge=1, le=MOST_DAYS)
    asking: int = Field(default=14, ge=1, le=MOST_DAYS)
    filled: int = Field(default=3, ge=1, le=MOST_DAYS)
    done: int = Field(default=5, ge=1, le=MOST_DAYS)
    draft_before: int = Field(default=14, ge=0, le=MOST_DAYS)
    submitted_before: int = Field(default=12, ge=0, le=MOST_DAYS)
    approved_before: int = Field(default=10, ge=0, le=MOST_DAYS)
    asking_before: int = Field(default=5, ge=0, le=MOST_DAYS)
    ahead: int = Field(default=1, ge=1, le=14)


def move(session: Session, request: Request, state: RequestState, *, at: datetime) -> None:
    """Bring a request into a state, which begins now; staying in the same one changes nothing."""
    if request.state is state:
        return
    request.state, request.since, request.alarmed_at = state, at, None
    if state is RequestState.FILLED:
        request.filled_at = at
    elif state is RequestState.ASKING:
        request.filled_at = None
    if state in CLOSED and request.closed_at is None:
        request.closed_at = at
    time_it(session, request)


def time_it(session: Session, request: Request) -> None:
    """Set when the present state of a request is due, from its dates as they stand."""
    session.flush()
    statement = _times_of(chosen(session, RequestTimes), request_extensions().visit_ends)
    request.due_at, request.warn_at = session.execute(statement, {"id": request.id}).one()
    session.flush()


@lru_cache(maxsize=8)
def _times_of(times: RequestTimes, _visit_ends: object) -> Select[Any, Any]:
    """The due times of one request; putting the statement together costs more than asking it."""
    return select(*due_times(times)).where(Request.id == bindparam("id"))


def recount(session: Session) -> None:
    """Set the due times of every request under way by what the district chose."""
    session.flush()
    due, warn = due_times(chosen(session, RequestTimes))
    session.execute(
        update(Request).where(Request.state.in_(TURN)).values(due_at=due, warn_at=warn),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()


def due_times(times: RequestTimes) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """When a row of `Request` is due and when to warn of it; null where nobody is waited for.

    A state lasts its days, but ends so many days before the first date; where even that is over,
    half of the time that is left to the date.
    """
    first = _date(func.min(RequestDate.starts_at))
    last = _date(func.max(RequestDate.ends_at))
    if (promised := request_extensions().visit_ends) is not None:
        last = func.coalesce(promised, last)
    spans = []
    for state in (
        RequestState.DRAFT, RequestState.SUBMITTED, RequestState.APPROVED, RequestState.ASKING
    ):  # fmt: skip
        limit = first - timedelta(days=getattr(times, f"{state.value}_before"))
        latest = case(
            (limit > Request.since, limit),
            (first > Request.since, Request.since + _half(first - Request.since)),
            else_=Request.since,
        )
        kept = Request.since + timedelta(days=getattr(times, state.value))
        spans.append((Request.state == state, func.least(kept, latest)))
    due = case(
        *spans,
        (Request.state == RequestState.FILLED, last + timedelta(days=times.filled)),
        (Request.state == RequestState.DONE, Request.since + timedelta(days=times.done)),
        else_=None,
    )
    ahead = func.least(literal(timedelta(days=times.ahead)), _half(due - Request.since))
    return type_coerce(due, UTCDateTime()), type_coerce(due - ahead, UTCDateTime())


def _date(which: ColumnElement[Any]) -> ColumnElement[Any]:
    dates = select(which).where(RequestDate.request_id == Request.id)
    return dates.correlate(Request).scalar_subquery()


def _half(span: ColumnElement[Any]) -> ColumnElement[Any]:
    seconds = func.extract("epoch", span) / 2
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=Interval())
