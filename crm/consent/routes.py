"""Recording what a person told staff about the mail they want."""

from __future__ import annotations

from flask import Blueprint, flash, redirect
from flask_babel import gettext as _
from werkzeug import Response
from wtforms.fields.choices import SelectChoice

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.alumni.queries import LARGEST_ID
from crm.consent import service
from crm.consent.forms import EVERYTHING, WordForm
from crm.consent.models import ConsentState
from crm.consent.queries import topics
from crm.consent.words import topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission

bp = Blueprint("consent", __name__)


def word_form() -> WordForm:
    """The form with the topics there are."""
    # Other forms stand on the same page, so the names of this one begin with its own word.
    form = WordForm(prefix="word-")
    known = [SelectChoice(topic.key, topic_name(topic)) for topic in topics(db.session())]
    form.topic.choices = [SelectChoice(EVERYTHING, _("Everything")), *known]
    return form


@bp.post("/people/<int:alumnus_id>/consent")
@requires(Permission.PEOPLE_EDIT)
def record(alumnus_id: int) -> Response:
    """Record a choice on the person's word."""
    if alumnus_id > LARGEST_ID:
        raise NotFound("There is no such person.")
    person = load_alumnus(db.session(), current_viewer(), alumnus_id)
    form = word_form()
    if not form.validate():
        raise Invalid(" ".join(error for errors in form.errors.values() for error in errors))
    news = service.record_word(
        db.session(), person.id, by=current_viewer(), at=clock.now(),
        topic_key=None if form.topic.data == EVERYTHING else form.topic.data,
        state=ConsentState(form.state.data), wording=form.wording.data,
    )  # fmt: skip
    db.session.commit()
    flash(_("Recorded.") if news else _("That was recorded before; nothing changed."))
    return redirect(f"/people/{person.id}", 303)
