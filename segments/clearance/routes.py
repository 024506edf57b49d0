"""Recording and revoking clearance on a person's page."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug import Response
from wtforms.fields.choices import SelectChoice

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission, Viewer
from segments.clearance import service
from segments.clearance.forms import ClearanceForm
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import LARGEST_ID, load_clearance, schools_in_reach

bp = Blueprint("clearance", __name__)


def clearance_form(viewer: Viewer) -> ClearanceForm:
    """The form with the schools that this viewer may record for."""
    form = ClearanceForm()
    policy = chosen(db.session(), ClearancePolicy)
    form.level.choices = [
        SelectChoice(n, policy.label(n)) for n in range(1, len(policy.levels) + 1)
    ]
    schools = [SelectChoice(row.id, row.name) for row in schools_in_reach(db.session(), viewer)]
    form.school_id.choices = (
        [SelectChoice(0, _("Every school")), *schools] if viewer.sees_district else schools
    )
    return form


def _person(viewer: Viewer, alumnus_id: int) -> int:
    if alumnus_id > LARGEST_ID:
        raise NotFound("There is no such person.")
    return load_alumnus(db.session(), viewer, alumnus_id).id


@bp.post("/people/<int:alumnus_id>/clearance")
@requires(Permission.PEOPLE_EDIT)
def record(alumnus_id: int) -> Response:
    """Record a level that somebody has proved."""
    viewer = current_viewer()
    person = _person(viewer, alumnus_id)
    form = clearance_form(viewer)
    if not form.validate():
        raise Invalid("; ".join(f"{name}: {' '.join(e)}" for name, e in form.errors.items()))
    values = {name: value for name, value in form.data.items() if name != "csrf_token"}
    values["school_id"] = values["school_id"] or None
    service.record_clearance(db.session(), person, **values, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("The clearance is recorded."))
    return redirect(f"/people/{person}", 303)


@bp.post("/people/<int:alumnus_id>/clearance/<int:clearance_id>/revoke")
@requires(Permission.PEOPLE_EDIT)
def revoke(alumnus_id: int, clearance_id: int) -> Response:
    """End a clearance from today on."""
    viewer = current_viewer()
    person = _person(viewer, alumnus_id)
    clearance = load_clearance(db.session(), person, clearance_id)
    service.revoke_clearance(db.session(), clearance, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("The clearance no longer counts."))
    return redirect(f"/people/{person}", 303)
