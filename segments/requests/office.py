"""Who looks after a school at the alumni office: to whom what is late or missed is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from crm.accounts.access import role_changes
from crm.accounts.models import User, UserScope
from crm.core.viewer import Permission, Role, permissions_of
from crm.schools.models import School


def office_of(session: Session, school_ids: Collection[int]) -> Mapping[int, Sequence[User]]:
    """By school: the active accounts that may ask alumni and look after it; else coordinators.

    Whoever looks after a part of the district stands nearer than those who see all of it.
    """
    asking = [
        role for role in Role
        if Permission.REQUESTS_ASK in permissions_of(
            role, session.scalar(select(role_changes(role))) or {}
        )
    ]  # fmt: skip
    nearer = [role for role in asking if role is not Role.COORDINATOR]
    near: Sequence[Row[int, User]] = session.execute(
        select(School.id, User)
        .join(
            UserScope,
            or_(UserScope.school_id == School.id, UserScope.cluster_id == School.cluster_id),
        )
        .join(User, User.id == UserScope.user_id)
        .where(School.id.in_(school_ids), User.active, User.role.in_(nearer))
        .order_by(User.id)
    ).all()
    found: dict[int, dict[int, User]] = {number: {} for number in school_ids}
    for school_id, user in near:
        found[school_id][user.id] = user
    everywhere = session.scalars(
        select(User).where(User.active, User.role == Role.COORDINATOR).order_by(User.id).limit(20)
    ).all()
    return {number: list(users.values()) or everywhere for number, users in found.items()}
