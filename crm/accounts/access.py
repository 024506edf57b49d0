"""The one place that says who may use a page: every route is `@requires` something or `@public`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import g, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User, UserScope
from crm.core.errors import NotAllowed
from crm.core.viewer import Permission, Role, Viewer
from crm.schools.models import School

F = TypeVar("F", bound=Callable[..., Any])


def requires(permission: Permission) -> Callable[[F], F]:
    """Let a route be used only by a signed-in account whose role has the permission."""

    def decorate(view: F) -> F:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                back = (
                    request.full_path
                    if request.method == "GET" and request.query_string
                    else request.path
                )
                return redirect(url_for("accounts.sign_in", next=back))
            if not current_viewer().may(permission):
                raise NotAllowed("Your account does not include this.")
            return view(*args, **kwargs)

        guarded.access = permission  # type: ignore[attr-defined]
        return cast(F, guarded)

    return decorate


def public(view: F) -> F:
    """Mark a route as open to anybody; what it shows must be fit for that."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def current_viewer() -> Viewer:
    """Who is looking in this request; raises `NotAllowed` for nobody."""
    if not current_user.is_authenticated:
        raise NotAllowed("Sign in first.")
    if "viewer" not in g:
        g.viewer = current_user.viewer
    return cast(Viewer, g.viewer)


def viewer_for(session: Session, user: User) -> Viewer:
    """The viewer that an account becomes, with its clusters resolved to schools."""
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
        schools = None if whole_district else frozenset(school_ids)
    return Viewer(user_id=user.id, role=user.role, name=user.name, school_ids=schools)
