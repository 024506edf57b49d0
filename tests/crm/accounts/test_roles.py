"""What each role may do is data, within bounds that no district can leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import roles
from crm.accounts.models import AuditEntry, RolePermission, User
from crm.core.errors import Invalid
from crm.core.viewer import (
    ALWAYS,
    AT_MOST,
    ROLE_PERMISSIONS,
    SYSTEM,
    Permission,
    Role,
    permissions_of,
)
from tests.factories import Make

Login = Callable[[User], FlaskClient]
CHANGES = st.dictionaries(st.sampled_from(list(Permission)), st.booleans())


def boxes(session: Session) -> list[str]:
    """What is ticked on the page now."""
    now = roles.permissions_by_role(session)
    return [f"{role}:{p}" for role in Role for p in now[role]]


@given(st.sampled_from(list(Role)), CHANGES)
def test_no_change_leaves_the_bounds_of_a_role(role: Role, changes: dict[str, bool]) -> None:
    found = permissions_of(role, changes)
    assert ALWAYS[role] <= found <= AT_MOST[role]


def test_without_changes_a_role_is_as_shipped() -> None:
    assert {role: permissions_of(role, {}) for role in Role} == ROLE_PERMISSIONS


def test_no_school_can_be_given_the_addresses_of_those_it_has_no_yes_from() -> None:
    for role in (Role.SCHOOL, Role.VIEWER):
        assert Permission.CONTACT_VIEW not in AT_MOST[role]
        assert Permission.BLOCKED_VIEW not in AT_MOST[role]


def test_a_permission_granted_on_the_page_holds_for_the_next_page_and_is_audited(
    coordinator: FlaskClient, session: Session, make: Make, app: object
) -> None:
    liaison = make.user(Role.LIAISON, school=make.school())
    granted = [*boxes(session), "liaison:export"]
    assert coordinator.post("/settings/roles", data={"granted": granted}).status_code == 303
    assert Permission.EXPORT in roles.permissions_by_role(session)[Role.LIAISON]
    assert "changed" in coordinator.get("/settings/roles").text
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "role.changed")).one()
    assert entry.object_id == "liaison"
    gained = set(entry.detail["after"]["permissions"]) - set(entry.detail["before"]["permissions"])
    assert gained == {"export"}
    assert liaison.role is Role.LIAISON


def test_a_permission_that_was_taken_is_gone_at_once(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    client = login_as(make.user(Role.VIEWER))
    assert client.get("/segments").status_code == 200
    wanted = ROLE_PERMISSIONS[Role.VIEWER] - {Permission.SEGMENTS}
    roles.set_permissions(session, Role.VIEWER, wanted, by=SYSTEM, at=now)
    session.commit()
    assert client.get("/segments").status_code == 403
    assert "/segments" not in client.get("/people").text
    roles.set_permissions(session, Role.VIEWER, ROLE_PERMISSIONS[Role.VIEWER], by=SYSTEM, at=now)
    session.commit()
    assert client.get("/segments").status_code == 200
    assert session.scalars(select(RolePermission)).all() == []


def test_nobody_ticks_more_than_the_bounds_or_locks_coordinators_out(
    coordinator: FlaskClient, session: Session
) -> None:
    data = {"granted": ["school:contact.view", "viewer:settings", "king:audit", "school:\x00"]}
    assert coordinator.post("/settings/roles", data=data).status_code == 303
    now = roles.permissions_by_role(session)
    assert now == {role: ALWAYS[role] for role in Role}
    assert coordinator.get("/settings/roles").status_code == 200
    assert coordinator.post("/settings/users/invite").status_code == 200


@pytest.mark.parametrize("role", list(Role))
def test_the_service_refuses_what_is_beyond_the_bounds(
    session: Session, now: datetime, role: Role
) -> None:
    beyond = set(Permission) - AT_MOST[role]
    wrong = [ALWAYS[role] - {Permission.HOME}, *([set(Permission)] if beyond else [])]
    for wanted in wrong:
        with pytest.raises(Invalid):
            roles.set_permissions(session, role, wanted, by=SYSTEM, at=now)
