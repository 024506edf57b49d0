"""Reads of the rights area."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.rights.models import DataRequest, LegalHold, RequestState
from crm.web.paging import Page, keyset

SOON = 7


def usual_address(session: Session, alumnus_id: int) -> ContactPoint | None:
    """The mail address of their own that we write to."""
    statement = select(ContactPoint).where(
        ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN,
    )  # fmt: skip
    statement = statement.order_by(ContactPoint.preferred.desc(), ContactPoint.id)
    return session.scalars(statement.limit(1)).first()


def held(session: Session, alumnus_id: int) -> LegalHold | None:
    """The legal hold that stands on a person, if one does."""
    return session.scalars(
        select(LegalHold).where(LegalHold.alumnus_id == alumnus_id, LegalHold.released_at.is_(None))
    ).one_or_none()


def requests_page(
    session: Session, viewer: Viewer, *, open_ones: bool, after: str | None
) -> Page[Any]:
    """Confirmed requests with their people: the open ones by due date, the others newest first."""
    statement = (
        select(DataRequest, Alumnus)
        .join(Alumnus, Alumnus.id == DataRequest.alumnus_id)
        .where(DataRequest.confirmed_at.is_not(None))
    )
    if open_ones:
        statement = statement.where(DataRequest.state == RequestState.OPEN, visible_alumni(viewer))
        return keyset(session, statement, [DataRequest.due_on, DataRequest.id], after=after)
    ended = statement.where(DataRequest.state.in_([RequestState.DONE, RequestState.DECLINED]))
    return keyset(session, ended, [DataRequest.id], after=after, descending=True)


def requests_of(session: Session, alumnus_id: int) -> Sequence[DataRequest]:
    """The confirmed requests of one person, newest first."""
    statement = select(DataRequest).where(
        DataRequest.alumnus_id == alumnus_id, DataRequest.confirmed_at.is_not(None)
    )
    return session.scalars(statement.order_by(DataRequest.id.desc()).limit(20)).all()


def load_request(session: Session, viewer: Viewer, request_id: int) -> DataRequest:
    """A request of somebody whom the viewer may know of; raises `NotFound`."""
    statement = (
        select(DataRequest)
        .join(Alumnus, Alumnus.id == DataRequest.alumnus_id)
        .where(DataRequest.id == request_id, visible_alumni(viewer))
    )
    request = session.scalars(statement).one_or_none() if request_id < 2**63 else None
    if request is None:
        raise NotFound("There is no such request.")
    return request


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Wishes to be forgotten that wait for the office, with the days that are left."""
    if not viewer.may(Permission.SETTINGS):
        return
    count, due = session.execute(
        select(func.count(), func.min(DataRequest.due_on)).where(
            DataRequest.state == RequestState.OPEN
        )
    ).one()
    if due is None:
        return
    left = (due - at.date()).days
    label = ngettext(
        "person asked to be forgotten", "people asked to be forgotten", count
    ) + " ("  # fmt: skip
    label += (
        ngettext("one day is left", "%(num)d days are left", left)
        if left > 0
        else gettext("overdue")
    ) + ")"
    yield Todo(label, count, url_for("rights.requests"), "bad" if left < SOON else "warn", 15)
