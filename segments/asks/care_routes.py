"""The settings page of how often one person may be asked."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from crm.accounts.access import current_viewer, requires
from crm.accounts.audit import note_choice
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission
from crm.web.forms import Form
from segments.asks.routes import bp
from segments.asks.rules import AskCare


class CareForm(Form):
    """The cap."""

    rest = IntegerField(
        lazy_gettext("Rest after an ask (days)"), [InputRequired(), NumberRange(14, 365)]
    )
    rest_after_no = IntegerField(
        lazy_gettext("Rest from the same kind of help after a no (days)"),
        [InputRequired(), NumberRange(30, 730)],
    )
    most_a_year = IntegerField(
        lazy_gettext("Asks of one person a year, at most"), [InputRequired(), NumberRange(1, 12)]
    )


@bp.route("/settings/how-often-we-ask", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def care() -> Any:
    """How often one person may be asked."""
    session, at = db.session(), clock.now()
    form = CareForm(data=chosen(session, AskCare).model_dump())
    if form.validate_on_submit():
        values = {name: value for name, value in form.data.items() if name != "csrf_token"}
        note_choice(
            session, AskCare.model_validate(values), "ask_care.changed", by=current_viewer(), at=at
        )
        session.commit()
        flash(_("Saved. It holds for every ask from now on."))
        return redirect(url_for("asks.care"), 303)
    return render_template("segments/asks/care.html", form=form), 422 if form.errors else 200
