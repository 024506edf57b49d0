"""The settings page of asking: how sure a place is to be, and how much turns count."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from wtforms import BooleanField, IntegerField
from wtforms.validators import InputRequired, NumberRange

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission
from crm.web.forms import Form
from segments.desk.choices import Asking

settings = Blueprint("asking", __name__)


class AskingForm(Form):
    """The district's choice, in percent."""

    target = IntegerField(
        lazy_gettext("How sure the places of a request are to be, in percent"),
        [InputRequired(), NumberRange(50, 99)],
    )
    fairness = IntegerField(
        lazy_gettext("How much turns count, in percent"), [InputRequired(), NumberRange(0, 200)]
    )
    near_first = BooleanField(
        lazy_gettext("Ask the own school’s people before the cluster’s and the district’s")
    )
    explore = IntegerField(
        lazy_gettext("Asks given by draw, in percent"), [InputRequired(), NumberRange(0, 25)]
    )


@settings.route("/settings/asking", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def asking() -> Any:
    """What waves and ranks keep to."""
    session, at = db.session(), clock.now()
    now = chosen(session, Asking)
    form = AskingForm(
        target=round(now.target * 100), fairness=round(now.fairness * 100),
        near_first=now.near_first, explore=round(now.explore * 100),
    )  # fmt: skip
    if form.validate_on_submit():
        wanted = Asking(
            target=(form.target.data or 0) / 100, fairness=(form.fairness.data or 0) / 100,
            near_first=bool(form.near_first.data), explore=(form.explore.data or 0) / 100,
        )  # fmt: skip
        audit.note_choice(session, wanted, "asking.changed", by=current_viewer(), at=at)
        session.commit()
        flash(_("Saved. It holds from the next wave on."))
        return redirect(url_for("asking.asking"), 303)
    return render_template("segments/desk/asking.html", form=form), 422 if form.errors else 200
