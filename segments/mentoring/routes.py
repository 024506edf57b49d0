"""Mentoring pages: the list, a pair, what a mentor's page adds, and the district's choices."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug import Response
from wtforms.fields.choices import SelectChoice

from crm.accounts.access import current_viewer, requires
from crm.accounts.audit import note_choice
from crm.alumni.access import load_alumnus
from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission, Viewer
from crm.schools.models import School
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import office_day
from segments.mentoring import queries, service
from segments.mentoring.forms import CapacityForm, EndForm, PairForm, RulesForm
from segments.mentoring.rules import MentoringRules
from segments.requests.access import load_school
from segments.requests.models import Place, Supervision
from segments.requests.queries import school_choices, way_choices

bp = Blueprint("mentoring", __name__)


@bp.get("/mentoring")
@requires(Permission.REQUESTS_VIEW)
def index() -> str:
    """Pairs under way, those that need somebody, and those that are over."""
    session, viewer = db.session(), current_viewer()
    wanted = request.args.get("view", "")
    view = wanted if wanted in queries.VIEWS else "active"
    today = office_day(session, clock.now())
    page = queries.pairs(session, viewer, view=view, after=request.args.get("after"), today=today)
    return render_template(
        "segments/mentoring/index.html", page=page, view=view,
        counts=queries.counts(session, viewer, today),
    )  # fmt: skip


@bp.get("/mentoring/<int:pair_id>")
@requires(Permission.REQUESTS_VIEW)
def detail(pair_id: int) -> str:
    """One pair: who, until when, what the mentor said, and what there is to do."""
    session, viewer = db.session(), current_viewer()
    pair = queries.load_pair(session, viewer, pair_id)
    return render_template(
        "segments/mentoring/detail.html", pair=pair, form=EndForm(),
        mentor=session.get_one(Alumnus, pair.alumnus_id),
        school=session.get_one(School, pair.school_id),
        checkins=queries.checkins_of(session, pair.id),
    )  # fmt: skip


@bp.post("/mentoring/<int:pair_id>/end")
@requires(Permission.REQUESTS_CREATE)
def end(pair_id: int) -> Response:
    """Stop it before its time."""
    form, viewer = EndForm(), current_viewer()
    pair = queries.load_pair(db.session(), viewer, pair_id, lock=True)
    if not form.validate():
        raise Invalid(_("Say in at most 500 characters why it ends early."), field="reason")
    service.end_early(db.session(), pair, form.reason.data or "", by=viewer, at=clock.now())
    return _done(pair_id, _("It is ended, and the mentor is thanked for the hours they gave."))


@bp.post("/mentoring/<int:pair_id>/close")
@requires(Permission.REQUESTS_CREATE)
def close(pair_id: int) -> Response:
    """Close it as planned."""
    viewer = current_viewer()
    pair = queries.load_pair(db.session(), viewer, pair_id, lock=True)
    service.close(db.session(), pair, by=viewer, at=clock.now())
    return _done(pair_id, _("It is closed, and the mentor is thanked."))


@bp.post("/mentoring/<int:pair_id>/check-ins/<int:checkin_id>/settled")
@requires(Permission.REQUESTS_CREATE)
def settle(pair_id: int, checkin_id: int) -> Response:
    """Somebody spoke with the mentor."""
    viewer = current_viewer()
    pair = queries.load_pair(db.session(), viewer, pair_id, lock=True)
    missed = queries.load_checkin(db.session(), pair, checkin_id)
    service.settle(db.session(), missed, by=viewer, at=clock.now())
    return _done(pair_id, _("Noted. Thank you."))


def _done(pair_id: int, words: str) -> Response:
    db.session.commit()
    flash(words)
    return redirect(url_for("mentoring.detail", pair_id=pair_id), 303)


def pair_form(viewer: Viewer) -> PairForm:
    """The form with the schools that this viewer may begin a pair for."""
    session = db.session()
    form = PairForm(data={"weeks": chosen(session, MentoringRules).weeks})
    schools = school_choices(session, viewer)
    form.school_id.choices = [SelectChoice(row.id, row.name) for row in schools]
    return form


@bp.post("/people/<int:alumnus_id>/mentoring")
@requires(Permission.PEOPLE_EDIT)
def begin(alumnus_id: int) -> Response:
    """Begin a pair by hand."""
    session, viewer = db.session(), current_viewer()
    person, form = _person(viewer, alumnus_id), pair_form(viewer)
    if not form.validate():
        raise Invalid("; ".join(f"{name}: {' '.join(e)}" for name, e in form.errors.items()))
    school = load_school(session, viewer, form.school_id.data)
    level = chosen(session, ClearancePolicy).needed_level(Supervision.SUPERVISED, Place.SCHOOL)
    plan = service.Plan(
        person, school.id, form.mentee.data or "", form.starts_on.data, form.weeks.data, level
    )
    pair = service.begin(session, plan, by=viewer, at=clock.now())
    return _done(pair.id, _("The pair is begun. The mentor is asked by mail how it goes."))


@bp.post("/people/<int:alumnus_id>/mentoring/capacity")
@requires(Permission.PEOPLE_EDIT)
def capacity(alumnus_id: int) -> Response:
    """How many pupils somebody takes."""
    viewer, form = current_viewer(), CapacityForm()
    person = _person(viewer, alumnus_id)
    if not form.validate():
        raise Invalid(_("Choose a number from 0 to 20."), field="most")
    service.set_capacity(db.session(), person, form.most.data, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("Saved."))
    return redirect(f"/people/{person}", 303)


def _person(viewer: Viewer, alumnus_id: int) -> int:
    if alumnus_id > queries.LARGEST_ID:
        raise NotFound("There is no such person.")
    return load_alumnus(db.session(), viewer, alumnus_id).id


@bp.route("/mentoring/settings", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def rules() -> Any:
    """What mentoring is in this district."""
    session, at = db.session(), clock.now()
    now = chosen(session, MentoringRules)
    form = RulesForm(data=now.model_dump() | {"ways": list(now.ways)})
    form.ways.choices = [SelectChoice(way.key, _(way.label)) for way in way_choices(session)]
    if form.validate_on_submit():
        values = {name: value for name, value in form.data.items() if name != "csrf_token"}
        note_choice(
            session,
            MentoringRules.model_validate(values),
            "mentoring.changed",
            by=current_viewer(),
            at=at,
        )
        session.commit()
        flash(_("Saved. It holds for pairs that begin from now on."))
        return redirect(url_for("mentoring.rules"), 303)
    answer = render_template("segments/mentoring/settings.html", form=form)
    return answer, 422 if form.errors else 200
