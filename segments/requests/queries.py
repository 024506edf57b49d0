"""Reads of the requests area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, case, func, literal, select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import Subject, Way
from crm.core.database import among
from crm.core.viewer import Viewer
from crm.schools.models import School, SchoolStatus
from segments.requests.access import visible_requests
from segments.requests.models import Request, RequestDate, RequestState

AGES = {"new": 2, "week": 7, "fortnight": 14}
"""Bands of age, each up to so many days; what is older is `old`."""
OPEN = (RequestState.SUBMITTED, RequestState.APPROVED, RequestState.ASKING)
_DATES = (
    select(RequestDate)
    .where(RequestDate.request_id == bindparam("request"))
    .order_by(RequestDate.starts_at, RequestDate.id)
)


def dates_of(session: Session, request_id: int) -> Sequence[RequestDate]:
    """The date choices of a request, earliest first."""
    return session.scalars(_DATES, {"request": request_id}).all()


def dates_of_all(
    session: Session, request_ids: Iterable[int]
) -> Mapping[int, Sequence[RequestDate]]:
    """The date choices of each of many requests, earliest first."""
    found: dict[int, list[RequestDate]] = {}
    order = RequestDate.starts_at, RequestDate.id
    mine = among(RequestDate.request_id, request_ids)
    for choice in session.scalars(select(RequestDate).where(mine).order_by(*order)):
        found.setdefault(choice.request_id, []).append(choice)
    return found


def listing(
    session: Session, viewer: Viewer, *, limit: int = 1000
) -> Sequence[Row[Request, str, str, datetime]]:
    """Every request that this viewer may see, newest first, at most `limit`."""
    return session.execute(
        _listed(viewer).order_by(Request.created_at.desc(), Request.id.desc()).limit(limit)
    ).all()


def _listed(viewer: Viewer) -> Select[Request, str, str, datetime]:
    first = select(func.min(RequestDate.starts_at)).where(RequestDate.request_id == Request.id)
    return (
        select(
            Request, School.name.label("school"), School.time_zone.label("zone"),
            first.scalar_subquery().label("first_date"),
        )
        .join(School, School.id == Request.school_id)
        .where(visible_requests(viewer))
    )  # fmt: skip


def ages(session: Session, viewer: Viewer, at: datetime) -> Mapping[str, int]:
    """Open requests (waiting or asking) by how long ago they were posted."""
    age = literal(at) - Request.created_at
    band = case(*((age < timedelta(days=days), name) for name, days in AGES.items()), else_="old")
    statement = select(band.label("band"), func.count()).where(
        visible_requests(viewer), Request.state.in_(OPEN)
    )
    found: dict[str, int] = dict(session.execute(statement.group_by("band")).all())
    return {name: found.get(name, 0) for name in (*AGES, "old")}


def school_choices(session: Session, viewer: Viewer) -> Sequence[Row[int, str, Any]]:
    """(id, name, level) of the open schools that this viewer may post for."""
    statement = select(School.id, School.name, School.level).where(
        School.status == SchoolStatus.OPEN
    )
    if viewer.school_ids is not None:
        statement = statement.where(School.id.in_(sorted(viewer.school_ids)))
    return session.execute(statement.order_by(School.name)).all()


def way_choices(session: Session) -> Sequence[Way]:
    """The ways to help that are offered, in their order."""
    return session.scalars(select(Way).where(Way.offered).order_by(Way.position, Way.key)).all()


def subject_choices(session: Session) -> Sequence[Subject]:
    """The subjects in their order."""
    return session.scalars(select(Subject).order_by(Subject.position, Subject.key)).all()


def poster_of(session: Session, request: Request) -> User | None:
    """The staff user who posted the request, if one did."""
    return session.get(User, request.created_by) if request.created_by else None


def resolve_school(session: Session, text: str) -> int | None:
    """The id of the school with this NCES id or exact name, or None if there is not just one."""
    statement = select(School.id).where(
        (School.nces_id == text) | (func.lower(School.name) == text.lower())
    )
    found = session.scalars(statement.limit(2)).all()
    return found[0] if len(found) == 1 else None
