"""Reads of the asks area."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, case, func, literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint, ContactStatus, Way
from crm.core.database import among
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.mail.models import Message
from crm.schools.models import School
from segments.asks.models import PROMISED, Ask, AskState, Commitment, CommitmentState
from segments.requests.access import LARGEST_ID, visible_requests
from segments.requests.models import Request

KEPT = (*PROMISED, CommitmentState.ATTENDED, CommitmentState.MISSED)
_TAKEN = select(func.count()).where(
    Commitment.request_id == bindparam("request"), Commitment.state.in_(KEPT)
)
VISIT_ENDS = (
    select(func.max(Commitment.ends_at))
    .where(Commitment.request_id == Request.id, Commitment.state.in_(KEPT))
    .correlate(Request)
    .scalar_subquery()
)
"""When the last promised visit of a request is over."""


def places_taken(session: Session, request: Request) -> int:
    """How many places of a request somebody said yes to."""
    return session.scalars(_TAKEN, {"request": request.id}).one()


def places_left(session: Session, request: Request) -> int:
    """How many places of a request are still free."""
    return max(0, request.places - places_taken(session, request))


def places_left_of(session: Session, requests: Sequence[Request]) -> Mapping[int, int]:
    """How many places of each of these requests are still free."""
    mine = among(Commitment.request_id, [request.id for request in requests])
    counted = select(Commitment.request_id, func.count()).where(mine, Commitment.state.in_(KEPT))
    taken: dict[int, int] = dict(session.execute(counted.group_by(Commitment.request_id)).all())
    return {r.id: max(0, r.places - taken.get(r.id, 0)) for r in requests}


def coming_waves(session: Session, request_ids: Sequence[int]) -> Mapping[int, int]:
    """The number of the coming wave of each of these requests."""
    mine = among(Ask.request_id, request_ids)
    last = select(Ask.request_id, func.max(Ask.wave)).where(mine).group_by(Ask.request_id)
    rows: dict[int | None, int] = dict(session.execute(last).all())
    return {key: rows.get(key, 0) + 1 for key in request_ids}


def ask_counts(session: Session, request_id: int) -> dict[AskState, int]:
    """How many asks of a request stand in each state."""
    statement = select(Ask.state, func.count()).where(Ask.request_id == request_id)
    rows = session.execute(statement.group_by(Ask.state)).all()
    found: dict[AskState, int] = dict(rows)
    return found


def asks_of_request(session: Session, request_id: int) -> Sequence[Row[Ask, Alumnus]]:
    """(Ask, Alumnus) of a request, the latest wave first, best rank first."""
    statement = (
        select(Ask, Alumnus)
        .join(Alumnus, Alumnus.id == Ask.alumnus_id)
        .where(Ask.request_id == request_id)
        .order_by(Ask.wave.desc(), Ask.rank.nulls_last(), Ask.id)
        .limit(500)
    )
    return session.execute(statement).all()


def commitments_of(
    session: Session, request_id: int
) -> Sequence[Row[Commitment, Alumnus, Any, Any]]:
    """(Commitment, Alumnus, email, phone) of whoever said yes and did not take it back."""
    statement = (
        select(Commitment, Alumnus, _best(ContactKind.EMAIL), _best(ContactKind.PHONE))
        .join(Alumnus, Alumnus.id == Commitment.alumnus_id)
        .where(Commitment.request_id == request_id, Commitment.state.in_(KEPT))
        .order_by(Commitment.starts_at, Commitment.id)
    )
    return session.execute(statement).all()


def thanks_of(session: Session, ask_ids: Collection[int]) -> dict[int, Message]:
    """The letter of thanks to each of these asks, where one was written."""
    keys = {f"ask:{ask_id}:thanks": ask_id for ask_id in ask_ids}
    letters = session.scalars(select(Message).where(Message.key.in_(keys))) if keys else ()
    return {keys[letter.key]: letter for letter in letters}


def contact_of(session: Session, alumnus_id: int) -> tuple[str, str]:
    """The mail address and phone number to give a school after a yes; empty where there is none."""
    statement = select(_best(ContactKind.EMAIL), _best(ContactKind.PHONE))
    email, phone = session.execute(statement.where(Alumnus.id == alumnus_id)).one()
    return email or "", phone or ""


def _best(kind: ContactKind) -> Any:
    """The person's own contact point of a kind that one would use first."""
    return (
        select(ContactPoint.value)
        .where(
            ContactPoint.alumnus_id == Alumnus.id,
            ContactPoint.kind == kind,
            ContactPoint.owner == ContactOwner.OWN,
            ContactPoint.status.in_([ContactStatus.OK, ContactStatus.UNCONFIRMED]),
        )
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
        .limit(1)
        .correlate(Alumnus)
        .scalar_subquery()
        .label(kind.value)
    )


def load_ask(session: Session, ask_id: int | None, alumnus_ids: Collection[int]) -> Ask:
    """The ask of a mailed link, if it is the person's own (by any of their records' ids)."""
    if ask_id is not None:
        statement = select(Ask).where(Ask.id == ask_id, Ask.alumnus_id.in_(alumnus_ids))
        found = session.scalars(statement).one_or_none()
        if found is not None and found.expires_at is not None:  # a file told of the others
            return found
    raise NotFound("There is no such ask.")


def load_commitment(session: Session, viewer: Viewer, commitment_id: int) -> Commitment:
    """The commitment, if its request is one of the viewer's; otherwise `NotFound`."""
    if commitment_id <= LARGEST_ID:
        statement = (
            select(Commitment)
            .join(Request, Request.id == Commitment.request_id)
            .where(Commitment.id == commitment_id, visible_requests(viewer))
        )
        found = session.scalars(statement).one_or_none()
        if found is not None:
            return found
    raise NotFound("There is no such promise in the part of the district that you look after.")


def commitment_of(session: Session, ask_id: int) -> Commitment | None:
    """The promise that an ask led to, cancelled or not."""
    return session.scalars(select(Commitment).where(Commitment.ask_id == ask_id)).one_or_none()


def history_of(
    session: Session, alumnus_id: int, *, limit: int = 20
) -> Sequence[Row[Ask, Commitment, str, str, str, Any]]:
    """A person's asks, newest first: (Ask, Commitment or None, title, school, way label)."""
    title = func.coalesce(Request.title, literal(""))
    statement = (
        select(
            Ask, Commitment, title.label("title"), School.name.label("school"),
            Way.label.label("way"),
            case((Request.id.is_not(None), Request.school_id)).label("school_id"),
        )
        .join(Way, Way.key == Ask.way_key)
        .outerjoin(Request, Request.id == Ask.request_id)
        .outerjoin(School, School.id == Request.school_id)
        .outerjoin(Commitment, Commitment.ask_id == Ask.id)
        .where(Ask.alumnus_id == alumnus_id)
        .order_by(Ask.asked_at.desc(), Ask.id.desc())
        .limit(limit)
    )  # fmt: skip
    return session.execute(statement).all()
