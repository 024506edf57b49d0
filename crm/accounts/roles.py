"""What each role may do in this district: the shipped roles, and what the district changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import RolePermission
from crm.core.errors import Invalid
from crm.core.viewer import (
    ALWAYS,
    AT_MOST,
    ROLE_PERMISSIONS,
    Permission,
    Role,
    Viewer,
    permissions_of,
)


def permissions_by_role(session: Session) -> dict[Role, frozenset[Permission]]:
    """What each role may do now."""
    changes: dict[Role, dict[str, bool]] = {role: {} for role in Role}
    for row in session.scalars(select(RolePermission)):
        changes[row.role][row.permission] = row.granted
    return {role: permissions_of(role, found) for role, found in changes.items()}


def set_permissions(
    session: Session, role: Role, wanted: Collection[Permission], *, by: Viewer, at: datetime
) -> bool:
    """Let a role do exactly what is wanted, from its next page on; False if nothing changed.

    Raises `Invalid` for what is beyond its bounds: `ALWAYS` at least, `AT_MOST` at most.
    """
    chosen = frozenset(wanted)
    if chosen - AT_MOST[role] or ALWAYS[role] - chosen:
        raise Invalid(_("A role cannot be changed in this way."))
    before = permissions_by_role(session)[role]
    if chosen == before:
        return False
    session.execute(delete(RolePermission).where(RolePermission.role == role))
    usual = ROLE_PERMISSIONS[role]
    session.add_all(
        RolePermission(role=role, permission=permission, granted=permission in chosen)
        for permission in sorted(chosen ^ usual)
    )
    audit.record(
        session, "role.changed", kind="role", key=role.value, by=by, at=at,
        before={"permissions": sorted(before)}, after={"permissions": sorted(chosen)},
    )  # fmt: skip
    session.flush()
    return True
