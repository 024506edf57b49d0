"""The page of the retention schedule: how long, why, what goes next, what went."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.rights import retention
from crm.rights.routes import bp


@bp.get("/settings/retention")
@requires(Permission.SETTINGS)
def schedule() -> str:
    """Every kind of rows that goes some day."""
    session, at = db.session(), clock.now()
    return render_template(
        "crm/rights/retention.html", lines=retention.report(session, at=at),
        log=retention.log(session),
    )  # fmt: skip


@bp.post("/settings/retention")
@requires(Permission.SETTINGS)
def save_schedule() -> Any:
    """Keep rows for other numbers of days."""
    session, at = db.session(), clock.now()
    wanted = {
        k: int(v) for k, v in request.form.items() if v.isascii() and v.isdigit() and len(v) < 6
    }
    try:
        schedule = retention.set_days(chosen(session, retention.Schedule), wanted)
    except Invalid as error:
        raise Invalid(_("Choose a number of days within %(bounds)s.", bounds=str(error))) from error
    audit.note_choice(session, schedule, "retention.changed", by=current_viewer(), at=at)
    session.commit()
    flash(_("Saved. The next run keeps to it."))
    return redirect(url_for("rights.schedule"), 303)
