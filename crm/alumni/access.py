"""The wall of law 8 around alumni: whom a viewer sees, and whose contact data."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Schooling
from crm.core.errors import NotFound
from crm.core.extend import extensions
from crm.core.viewer import Permission, Viewer


def visible_alumni(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Alumnus`: the people this viewer may know of.

    Merged records are nobody's. A FERPA block hides a person from school staff and plain viewers.
    """
    conditions: list[ColumnElement[bool]] = [Alumnus.merged_into_id.is_(None)]
    if viewer.school_ids is not None:
        attended = exists().where(
            Schooling.alumnus_id == Alumnus.id, Schooling.school_id.in_(sorted(viewer.school_ids))
        )
        conditions.append(attended)
    if not viewer.may(Permission.BLOCKED_VIEW):
        conditions.append(Alumnus.ferpa_block.is_(False))
    return and_(*conditions)


def contact_visible(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Alumnus`: whose addresses this viewer may see (a school: after a yes)."""
    if viewer.may(Permission.CONTACT_VIEW):
        return true()
    grants = [grant(viewer) for grant in extensions().contact_grants]
    return or_(*grants) if grants else false()


def load_alumnus(session: Session, viewer: Viewer, alumnus_id: int) -> Alumnus:
    """The alumnus, if this viewer may know of them; otherwise `NotFound`, as for no such id."""
    statement = select(Alumnus).where(Alumnus.id == alumnus_id, visible_alumni(viewer))
    # An address may hold any number; one that no id can be is nobody's.
    known = 0 < alumnus_id < 2**63
    alumnus = session.scalars(statement).one_or_none() if known else None
    if alumnus is None:
        raise NotFound("There is no such person in the part of the district that you look after.")
    return alumnus


def sees_contact(session: Session, viewer: Viewer, alumnus_id: int) -> bool:
    """Whether this viewer may see the addresses of this person, whom they may know of."""
    statement = select(Alumnus.id).where(Alumnus.id == alumnus_id, contact_visible(viewer))
    return session.scalar(statement) is not None
