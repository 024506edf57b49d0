"""Reads of the request desk: progress, and what needs somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, Row, and_, exists, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.viewer import Viewer
from crm.schools.models import School
from segments.asks.clearing import still_cleared
from segments.asks.models import PROMISED, Ask, AskState, Commitment, CommitmentState
from segments.asks.queries import KEPT, ask_counts, places_taken
from segments.requests.access import visible_requests
from segments.requests.board import turn_of
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.service import ASKABLE


@dataclass(frozen=True)
class Step:
    """One station on the way of a request: reached or not, and what to say of it."""

    key: str
    label: Any
    reached: bool
    note: str = ""


def progress(session: Session, request: Request) -> list[Step]:
    """The stations of a request, so that a school need not phone to know."""
    asked = ask_counts(session, request.id)
    taken = places_taken(session, request)
    settled = _settled(session, request.id)
    state, total = request.state, sum(asked.values()) - asked.get(AskState.CANCELLED, 0)
    full = taken >= request.places
    waiting = asked.get(AskState.OPEN, 0)
    return [
        Step("posted", _("Posted"), state is not RequestState.DRAFT),
        Step("approved", _("Approved"), request.approved_at is not None),
        Step("asking", _("Asking"), total > 0, f"{total} ({waiting})" if waiting else str(total)),
        Step("held", _("Held"), taken > 0, f"{taken}/{request.places}"),
        Step("confirmed", _("Confirmed"), full),
        Step("done", _("Done"), settled.came > 0 and not settled.planned),
        Step("thanked", _("Thanked"), state is RequestState.THANKED),
    ]


def _settled(session: Session, request_id: int) -> Row[int, int]:
    state = Commitment.state
    return session.execute(
        select(
            func.count().filter(state == CommitmentState.ATTENDED).label("came"),
            func.count().filter(state == CommitmentState.PLANNED).label("planned"),
        ).where(Commitment.request_id == request_id)
    ).one()


def _places_free() -> ColumnElement[bool]:
    taken = select(func.count()).where(
        Commitment.request_id == Request.id, Commitment.state.in_(KEPT)
    )
    return taken.scalar_subquery() < Request.places


def _last_date() -> ColumnElement[Any]:
    last = select(func.max(RequestDate.starts_at)).where(RequestDate.request_id == Request.id)
    return last.scalar_subquery()


def to_move_on(session: Session, at: datetime) -> Sequence[int]:
    """Requests that want their next wave by themselves: places free, nobody thinking.

    One for which nobody was left waits for a person, who may widen it or try again.
    """
    thinking = exists().where(Ask.request_id == Request.id, Ask.state == AskState.OPEN)
    statement = select(Request.id).where(
        Request.state.in_(ASKABLE),
        Request.auto,
        ~thinking,
        _places_free(),
        _last_date() > at,
        Request.reason.is_distinct_from("nobody_left"),
    )
    return session.scalars(statement.order_by(Request.created_at, Request.id)).all()


def past_ones(session: Session, at: datetime) -> Sequence[int]:
    """Open requests whose last date is over."""
    states = {*ASKABLE, RequestState.SUBMITTED, RequestState.FILLED}
    promised = exists().where(Commitment.request_id == Request.id, Commitment.state.in_(PROMISED))
    statement = select(Request.id).where(Request.state.in_(states), _last_date() <= at, ~promised)
    return session.scalars(statement.order_by(Request.id)).all()


def counts_of_todo(session: Session, viewer: Viewer, at: datetime) -> dict[str, int]:
    """How many requests are late or nearly so, have nobody left, wait for the school's word on a
    visit, or have a promise without clearance."""
    mine = visible_requests(viewer)
    open_ones = and_(mine, Request.state.in_(ASKABLE), _places_free())
    turn = and_(mine, Request.state.in_(turn_of(viewer)))
    return {
        "late": _count(session, and_(turn, Request.due_at < at)),
        "soon": _count(session, and_(turn, Request.due_at >= at, Request.warn_at <= at)),
        "nobody_left": _count(session, and_(open_ones, Request.reason == "nobody_left")),
        "attendance": _promises(session, mine, Commitment.ends_at < at),
        "lapsed": _promises(session, mine, Commitment.starts_at > at, ~still_cleared(session)),
    }


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(Request).where(condition)).one()


def _promises(session: Session, *conditions: ColumnElement[bool]) -> int:
    statement = (
        select(func.count())
        .select_from(Commitment)
        .join(Request, Request.id == Commitment.request_id)
        .join(School, School.id == Request.school_id)
        .join(Alumnus, Alumnus.id == Commitment.alumnus_id)
        .where(Commitment.state == CommitmentState.PLANNED, *conditions)
    )
    return session.scalars(statement).one()


def lapsed_promises(session: Session, request_id: int) -> set[int]:
    """The ids of the promises of a request whose person is no longer cleared for their day."""
    statement = (
        select(Commitment.id)
        .join(Request, Request.id == Commitment.request_id)
        .join(School, School.id == Request.school_id)
        .join(Alumnus, Alumnus.id == Commitment.alumnus_id)
        .where(
            Request.id == request_id, Commitment.state == CommitmentState.PLANNED,
            ~still_cleared(session),
        )
    )  # fmt: skip
    return set(session.scalars(statement))


def next_wave(session: Session, request_id: int) -> int:
    """The number of the coming wave."""
    last = session.scalar(select(func.max(Ask.wave)).where(Ask.request_id == request_id))
    return int(last or 0) + 1
