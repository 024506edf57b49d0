"""The settings page of the school calendar."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
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
        if audit.note_choice(
            session, form.calendar(), "calendar.changed", by=current_viewer(), at=at
        ):
            for tell in calendar_changed():
                tell(session, at)
        session.commit()
        flash(_("Saved. Journeys keep to it from now on."))
        return redirect(url_for("calendar.calendar"), 303)
    page = render_template("lifecycle/calendar/calendar.html", form=form)
    return page, 422 if form.errors else 200
