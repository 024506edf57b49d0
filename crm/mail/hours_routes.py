"""The settings page of the hours in which a district lets mail go."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from pydantic import ValidationError
from wtforms import IntegerField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission
from crm.mail.hours import SendingHours
from crm.mail.routes import bp
from crm.web.forms import Form, MultiCheckboxField

DAYS = (
    lazy_gettext("Monday"), lazy_gettext("Tuesday"), lazy_gettext("Wednesday"),
    lazy_gettext("Thursday"), lazy_gettext("Friday"), lazy_gettext("Saturday"),
    lazy_gettext("Sunday"),
)  # fmt: skip


class HoursForm(Form):
    """From when until when, on which days."""

    opens = IntegerField(lazy_gettext("From (hour)"), [InputRequired(), NumberRange(0, 22)])
    closes = IntegerField(lazy_gettext("Until (hour)"), [InputRequired(), NumberRange(2, 24)])
    days = MultiCheckboxField(
        lazy_gettext("On these days"),
        choices=[SelectChoice(str(n), day) for n, day in enumerate(DAYS)],
    )


@bp.route("/settings/sending-hours", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def hours() -> Any:
    """When marketing and asks may go."""
    now = chosen(db.session(), SendingHours)
    form = HoursForm(opens=now.opens, closes=now.closes, days=[str(day) for day in now.days])
    if form.validate_on_submit():
        try:
            wanted = SendingHours(
                opens=form.opens.data, closes=form.closes.data,
                days=tuple(int(day) for day in form.days.data or ()),
            )  # fmt: skip
        except ValidationError:
            form.closes.errors = [_("Leave at least two hours, on at least one day of the week.")]
        else:
            return _save(wanted)
    return render_template("crm/mail/hours.html", form=form), 422 if form.errors else 200


def _save(wanted: SendingHours) -> Any:
    session, at = db.session(), clock.now()
    audit.note_choice(session, wanted, "hours.changed", by=current_viewer(), at=at)
    session.commit()
    flash(_("Saved. It holds for every message that has not left yet."))
    return redirect(url_for("mail.hours"), 303)
