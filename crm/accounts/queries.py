"""Reads of the accounts area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, StaffSession, User, UserScope
from crm.accounts.sessions import IDLE
from crm.core.errors import NotFound
from crm.core.viewer import Role
from crm.schools.models import Cluster, School
from crm.web.paging import Page, keyset
from crm.web.words import role_label

RECENT = 10_000
MOST_STAFF = 1_000


@dataclass(frozen=True)
class Scope:
    """The places that an account may look into: (id, name) pairs."""

    schools: tuple[tuple[int, str], ...] = ()
    clusters: tuple[tuple[int, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of all places."""
        return [name for _, name in (*self.clusters, *self.schools)]


def users_page(session: Session, *, after: str | None) -> tuple[Page[Any], dict[int, Scope]]:
    """Accounts by name with their scopes."""
    page = keyset(session, select(User), [User.name, User.id], after=after)
    return page, scopes_of(session, [row.User.id for row in page.items])


def scopes_of(session: Session, user_ids: Sequence[int]) -> dict[int, Scope]:
    """The scope of each account."""
    schools = select(UserScope.user_id, School.id, School.name).join(
        School, School.id == UserScope.school_id
    )
    clusters = select(UserScope.user_id, Cluster.id, Cluster.name).join(
        Cluster, Cluster.id == UserScope.cluster_id
    )
    found: dict[int, tuple[list[Any], list[Any]]] = {user_id: ([], []) for user_id in user_ids}
    for place, statement, name in ((0, schools, School.name), (1, clusters, Cluster.name)):
        mine = statement.where(UserScope.user_id.in_(user_ids)).order_by(name)
        for user_id, place_id, place_name in session.execute(mine):
            found[user_id][place].append((place_id, place_name))
    return {key: Scope(tuple(s), tuple(c)) for key, (s, c) in found.items()}


def load_user(session: Session, user_id: int) -> User:
    """The account with that id; raises `NotFound`."""
    user = session.get(User, user_id) if abs(user_id) < 2**63 else None
    if user is None:
        raise NotFound("There is no such account.")
    return user


def user_by_email(session: Session, email: str) -> User | None:
    """The account of an address."""
    return session.scalars(select(User).where(User.email == email.lower())).one_or_none()


def open_sessions(session: Session, user_id: int, *, at: datetime) -> list[StaffSession]:
    """The sessions of an account that still count, the latest used first."""
    statement = select(StaffSession).where(
        StaffSession.user_id == user_id,
        StaffSession.ended_at.is_(None),
        StaffSession.half.is_(False),
        StaffSession.expires_at > at,
        StaffSession.seen_at > at - IDLE,
    )
    return list(session.scalars(statement.order_by(StaffSession.seen_at.desc()).limit(50)))


def audit_kinds(session: Session) -> list[str]:
    """The kinds of things that the recent entries are about."""
    recent = select(AuditEntry.object_kind).order_by(AuditEntry.id.desc()).limit(RECENT).subquery()
    return sorted(session.scalars(select(recent.c.object_kind).distinct()))


def audit_actions(session: Session) -> list[str]:
    """What the recent entries say was done."""
    recent = select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(RECENT).subquery()
    return sorted(session.scalars(select(recent.c.action).distinct()))


def staff_names(session: Session) -> list[tuple[int, str]]:
    """Accounts to choose from, by name."""
    statement = select(User.id, User.name).order_by(User.name, User.id).limit(MOST_STAFF)
    return [(row.id, row.name) for row in session.execute(statement)]


def role_names(_session: Session, keys: Sequence[str]) -> dict[str, str]:
    """What roles are called."""
    return {role.value: role_label(role) for role in Role if role.value in keys}


def user_names(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """The names of accounts by their ids as text."""
    ids = [int(key) for key in keys if key.isdigit()]
    rows = session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    return {str(row.id): row.name for row in rows}
