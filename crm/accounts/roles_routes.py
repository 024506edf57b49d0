"""The page of roles: what each may do, and what the district grants or takes."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts import roles
from crm.accounts.access import current_viewer, requires
from crm.accounts.routes import bp
from crm.accounts.words import PERMISSION_LABELS
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import ALWAYS, AT_MOST, ROLE_PERMISSIONS, Permission, Role


@bp.get("/settings/roles", endpoint="roles")
@requires(Permission.SETTINGS)
def show_roles() -> Any:
    """What each role may do; boxes where the district may decide."""
    now = roles.permissions_by_role(db.session())
    return render_template(
        "crm/accounts/roles.html", now=now, labels=PERMISSION_LABELS, always=ALWAYS,
        at_most=AT_MOST, usual=ROLE_PERMISSIONS, roles=list(Role),
    )  # fmt: skip


@bp.post("/settings/roles")
@requires(Permission.SETTINGS, fresh=True)
def save_roles() -> Any:
    """Take over what was ticked."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    ticked = set(request.form.getlist("granted"))
    changed = [
        role
        for role in Role
        if roles.set_permissions(
            session, role,
            ALWAYS[role] | {p for p in AT_MOST[role] if f"{role.value}:{p.value}" in ticked},
            by=viewer, at=at,
        )
    ]  # fmt: skip
    session.commit()
    flash(_("Saved. It holds from the next page that somebody opens.") if changed else _("Saved."))
    return redirect(url_for("accounts.roles"), 303)
