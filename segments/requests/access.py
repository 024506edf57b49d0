"""The wall of law 8 around requests: a school sees its own, a liaison the cluster's."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.schools.models import School
from segments.requests.models import Request

LARGEST_ID = 2**63 - 1


def visible_requests(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Request`: those of the viewer's schools."""
    if viewer.school_ids is None:
        return true()
    return Request.school_id.in_(sorted(viewer.school_ids))


def load_request(
    session: Session, viewer: Viewer, request_id: int, *, lock: bool = False
) -> Request:
    """The request, if this viewer may know of it; otherwise `NotFound`, as for no such id.

    `lock` holds its row until the transaction ends, so that places cannot be given twice.
    """
    if request_id <= LARGEST_ID:
        statement = select(Request).where(Request.id == request_id, visible_requests(viewer))
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        found = session.scalars(statement).one_or_none()
        if found is not None:
            return found
    raise NotFound("There is no such request in the part of the district that you look after.")


def load_school(session: Session, viewer: Viewer, school_id: int) -> School:
    """A school that the viewer may post requests for; otherwise `NotFound`."""
    if school_id <= LARGEST_ID and (viewer.school_ids is None or school_id in viewer.school_ids):
        school = session.get(School, school_id)
        if school is not None:
            return school
    raise NotFound("There is no such school in the part of the district that you look after.")
