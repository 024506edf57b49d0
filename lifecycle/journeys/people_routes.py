"""Letting one person in by hand, the control group, and two versions side by side."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Conflict
from crm.core.viewer import Permission
from crm.web.forms import Form
from lifecycle.journeys import queries
from lifecycle.journeys.differing import differences
from lifecycle.journeys.entering import ControlGroup
from lifecycle.journeys.hand import enter_by_hand
from lifecycle.journeys.routes import bp

LARGEST_ID = 2**63 - 1


class ControlForm(Form):
    """How many are kept aside, and which draw."""

    percent = IntegerField(
        lazy_gettext("Percent of all people"), [InputRequired(), NumberRange(0, 20)]
    )
    draw = IntegerField(lazy_gettext("Draw"), [InputRequired(), NumberRange(1, 1_000)])


@bp.post("/people/<int:alumnus_id>/enter")
@requires(Permission.JOURNEYS_EDIT)
def enter(alumnus_id: int) -> Any:
    """Let a person into the journey that was chosen on their page."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    try:
        key = request.form.get("journey", "")[:80]
        journey = enter_by_hand(session, key, person.id, by=viewer, at=clock.now())
    except Conflict as error:
        session.rollback()
        flash(str(error), "error")
    else:
        session.commit()
        flash(_("They are in “%(name)s” now.", name=journey.name))
    return redirect(url_for("people.detail", alumnus_id=alumnus_id), 303)


@bp.route("/control-group", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def control_group() -> Any:
    """The people whom no journey with a goal takes in, so that all can be compared with them."""
    session, at = db.session(), clock.now()
    now = chosen(session, ControlGroup)
    form = ControlForm(percent=now.percent, draw=now.draw)
    if form.validate_on_submit():
        wanted = ControlGroup(percent=form.percent.data, draw=form.draw.data)
        audit.note_choice(session, wanted, "control_group.changed", by=current_viewer(), at=at)
        session.commit()
        flash(_("Saved. It holds for whoever would enter from now on."))
        return redirect(url_for("journeys.control_group"), 303)
    page = render_template("lifecycle/journeys/control.html", form=form)
    return page, 422 if form.errors else 200


@bp.get("/<key>/compare/<int:old>/<int:new>")
@requires(Permission.JOURNEYS_VIEW)
def compare(key: str, old: int, new: int) -> str:
    """What one version says otherwise than another."""
    session = db.session()
    journey = queries.load_journey(session, key)
    before, after = (queries.load_version(session, journey, number) for number in (old, new))
    changes = differences(queries.document_of(before), queries.document_of(after))
    return render_template(
        "lifecycle/journeys/compare.html", journey=journey, old=before, new=after, changes=changes
    )
