"""Recording an interaction by hand on a person's page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.interactions import hand
from crm.interactions.forms import entry_form
from crm.interactions.queries import recorded_by_hand

bp = Blueprint("interactions", __name__, url_prefix="/people/<int:alumnus_id>/interactions")


@bp.post("")
@requires(Permission.PEOPLE_EDIT)
def add(alumnus_id: int) -> Any:
    """Record what happened."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    person = load_alumnus(session, viewer, alumnus_id)
    form = entry_form(session, viewer, at)
    if not form.validate():
        faults = (f"{form[name].label.text}: {' '.join(e)}" for name, e in form.errors.items())
        raise Invalid(" ".join(faults))
    if hand.write_down(session, person, form.entry(), by=viewer, at=at):
        session.commit()
        flash(_("Recorded."))
    return redirect(url_for("people.detail", alumnus_id=person.id), 303)


@bp.post("/<int:interaction_id>/take-back")
@requires(Permission.PEOPLE_EDIT)
def take_back(alumnus_id: int, interaction_id: int) -> Any:
    """Take back what was recorded by hand."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    entry = recorded_by_hand(session, person.id, interaction_id)
    hand.take_back(session, entry, by=viewer, at=clock.now())
    session.commit()
    flash(_("Taken back."))
    return redirect(url_for("people.detail", alumnus_id=person.id), 303)
