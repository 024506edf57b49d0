"""The settings page of the school calendar."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.district import choose, chosen
from crm.core.viewer import Permission
from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.calendar.extend import calendar_changed
from lifecycle.calendar.forms import CalendarForm

bp = Blueprint("calendar", __name__)


@bp.route("/settings/school-calendar", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def calendar() -> Any:
    """Terms, breaks and named days; saving moves those who wait for one of them."""
    session, at = db.session(), clock.now()
    form = CalendarForm.of(chosen(session, SchoolCalendar))
    if form.validate_on_submit():
        changes = choose(session, form.calendar(), at=at)
        if changes:
            audit.record(
                session, "calendar.changed", kind="setting", key="school_calendar",
                by=current_viewer(), at=at, **changes,
            )  # fmt: skip
            for tell in calendar_changed():
                tell(session, at)
        session.commit()
        flash(_("Saved. Journeys keep to it from now on."))
        return redirect(url_for("calendar.calendar"), 303)
    page = render_template("lifecycle/calendar/calendar.html", form=form)
    return page, 422 if form.errors else 200
