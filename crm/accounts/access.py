"""The one place that says who may use a page: every route is `@requires` something or `@public`.

The ways into a staff account are `@entrance`: as public, and in the languages of staff.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, cast

from flask import g, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import Label, func, select
from sqlalchemy.orm import Session

from crm.accounts.models import RolePermission, UserScope
from crm.core import clock
from crm.core.errors import NotAllowed
from crm.core.viewer import Permission, Role, Viewer, permissions_of
from crm.schools.lineage import with_predecessors
from crm.schools.models import School
from crm.web.errors import way_back

F = TypeVar("F", bound=Callable[..., Any])


class Account(Protocol):
    """What makes a viewer of an account."""

    @property
    def id(self) -> int:
        """Its id."""

    @property
    def name(self) -> str:
        """Whose it is."""

    @property
    def role(self) -> Role:
        """What it is for."""


def requires(
    permission: Permission, *, fresh: bool = False, enrolling: bool = False
) -> Callable[[F], F]:
    """Let a route be used only by a signed-in account that has the permission.

    Whoever owes a second factor is led to its page (`enrolling` marks that page and its parts).
    `fresh` asks an account that has one for it again after a quarter of an hour.
    """

    def decorate(view: F) -> F:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                return redirect(url_for("accounts.sign_in", next=_here()))
            at = clock.now()
            if not enrolling and current_user.due_at is not None and current_user.due_at <= at:
                return redirect(url_for("accounts.second_factor"), 303)
            if not current_viewer().may(permission):
                raise NotAllowed("Your account does not include this.")
            if fresh and not current_user.is_fresh(at):
                back = _here() if request.method == "GET" else way_back() or "/"
                return redirect(url_for("accounts.confirm_factor", next=back), 303)
            return view(*args, **kwargs)

        guarded.access = permission  # type: ignore[attr-defined]
        return cast(F, guarded)

    return decorate


def _here() -> str:
    """The address of this request, to come back to."""
    with_query = request.method == "GET" and request.query_string
    return request.full_path if with_query else request.path


def public(view: F) -> F:
    """Mark a route as open to anybody; what it shows must be fit for that."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def reads(view: F) -> F:
    """Mark a route that only reads: its statements are no transaction together."""
    view.reads = True  # type: ignore[attr-defined]
    return view


def entrance(view: F) -> F:
    """Mark a route as open to anybody who is on their way into a staff account, or out of it."""
    view.entrance = True  # type: ignore[attr-defined]
    return public(view)


def current_viewer() -> Viewer:
    """Who is looking in this request; raises `NotAllowed` for nobody."""
    if not current_user.is_authenticated:
        raise NotAllowed("Sign in first.")
    if "viewer" not in g:
        g.viewer = current_user.viewer
    return cast(Viewer, g.viewer)


def role_changes(role: Any) -> Label[Any]:
    """What the district granted or took from a role: a subquery of permission → granted."""
    pairs = func.jsonb_object_agg(RolePermission.permission, RolePermission.granted)
    return select(pairs).where(RolePermission.role == role).scalar_subquery().label("changes")


def viewer_for(
    session: Session, user: Account, changes: Mapping[str, bool] | None = None
) -> Viewer:
    """The viewer that an account becomes, with its clusters resolved to schools.

    `changes` are the district's decisions about its role; they are read if not given.
    """
    if changes is None:
        changes = session.scalar(select(role_changes(user.role))) or {}
    schools = None
    if user.role is not Role.COORDINATOR:
        scopes = session.execute(
            select(UserScope.school_id, UserScope.cluster_id).where(UserScope.user_id == user.id)
        ).all()
        school_ids = {s for s, _ in scopes if s is not None}
        clusters = [c for _, c in scopes if c is not None]
        if clusters:
            inside = select(School.id).where(School.cluster_id.in_(clusters))
            school_ids |= set(session.scalars(inside))
        whole_district = user.role is Role.VIEWER and not scopes
        schools = None if whole_district else frozenset(with_predecessors(session, school_ids))
    return Viewer(
        user_id=user.id, role=user.role, name=user.name, school_ids=schools,
        permissions=permissions_of(user.role, changes),
    )  # fmt: skip
