"""The pages of rehearsals: ask for one, follow it, look at the picture, take the figures along."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, NotFound, Refused
from crm.core.viewer import Permission, Viewer
from lifecycle.journeys.models import JourneyVersion
from lifecycle.journeys.queries import find_journey, load_journey
from lifecycle.rehearsal import queries, service
from lifecycle.rehearsal.forms import EVERYBODY, RehearsalForm
from lifecycle.rehearsal.models import Rehearsal, RehearsalState
from lifecycle.rehearsal.running import Order
from lifecycle.rehearsal.views import picture, table

bp = Blueprint("rehearsals", __name__, url_prefix="/journeys")
RUNS = 3


def _office() -> Viewer:
    """The viewer, who must see the whole district: figures of a rehearsal know no wall."""
    viewer = current_viewer()
    if not viewer.sees_district:
        raise NotFound(_("A rehearsal is of the whole district, which your account does not see."))
    return viewer


@bp.get("/rehearsal")
@requires(Permission.JOURNEYS_EDIT)
def everything() -> str:
    """Rehearse all live journeys together."""
    return _asking(RehearsalForm(formdata=None), None)


@bp.get("/<key>/rehearsal")
@requires(Permission.JOURNEYS_EDIT)
def journey(key: str) -> str:
    """Rehearse one journey, or a draft of it."""
    return _asking(RehearsalForm(formdata=None), key)


def _asking(form: RehearsalForm, key: str | None, problems: Any = ()) -> str:
    """The form, and the rehearsals before."""
    _office()
    session = db.session()
    found = load_journey(session, key) if key is not None else None
    return render_template(
        "lifecycle/rehearsal/index.html", form=form, journey=found, problems=problems,
        runs=queries.latest(session, key),
    )  # fmt: skip


@bp.post("/rehearsal")
@requires(Permission.JOURNEYS_EDIT)
def start_everything() -> Any:
    """Start a rehearsal of all live journeys."""
    return _start(None)


@bp.post("/<key>/rehearsal")
@requires(Permission.JOURNEYS_EDIT)
def start(key: str) -> Any:
    """Start a rehearsal of one journey."""
    return _start(key)


def _start(key: str | None) -> Any:
    viewer, session, form = _office(), db.session(), RehearsalForm()
    if not form.validate_on_submit():
        return _asking(form, key), 422
    draft = (form.draft.data or "").strip() and form.draft.data
    people = form.people.data if form.people.data != EVERYBODY else None
    order = Order(key, form.months.data, people, RUNS, draft=draft or None)
    try:
        found = service.ask(session, order, by=viewer, at=clock.now())
    except Refused as error:
        session.rollback()
        return _asking(form, key, error.problems), 422
    except Conflict as error:
        session.rollback()
        flash(str(error), "error")
        return redirect(request.path, 303)
    session.commit()
    return redirect(url_for("rehearsals.detail", rehearsal_id=found.id), 303)


@bp.get("/rehearsals/<int:rehearsal_id>")
@requires(Permission.JOURNEYS_EDIT)
def detail(rehearsal_id: int) -> str:
    """The picture of what would happen."""
    viewer, session = _office(), db.session()
    run = service.load(session, rehearsal_id)
    values: dict[str, Any] = {}
    if run.state is RehearsalState.READY and run.result is not None:
        values = {
            "result": run.result, "picture": picture(session, run.result),
            "most": queries.most_mailed(session, run.result.get("most", ()), viewer),
        }  # fmt: skip
    return render_template(
        "lifecycle/rehearsal/detail.html", run=run, **values, **_of(session, run)
    )


def _of(session: Session, run: Rehearsal) -> dict[str, Any]:
    """The journey and the version that were rehearsed, if they are of one."""
    found = find_journey(session, run.journey_key) if run.journey_key else None
    version = session.get(JourneyVersion, run.version_id) if run.version_id else None
    return {"journey": found, "version": version}


@bp.post("/rehearsals/<int:rehearsal_id>/cancel")
@requires(Permission.JOURNEYS_EDIT)
def cancel(rehearsal_id: int) -> Any:
    """Stop a rehearsal that is under way."""
    viewer, session = _office(), db.session()
    try:
        service.cancel(session, rehearsal_id, by=viewer, at=clock.now())
    except Conflict as error:
        session.rollback()
        flash(str(error), "error")
    else:
        session.commit()
        flash(_("The rehearsal was stopped. Nothing of it is kept."), "success")
    return redirect(url_for("rehearsals.detail", rehearsal_id=rehearsal_id), 303)


@bp.get("/rehearsals/<int:rehearsal_id>/progress")
@requires(Permission.JOURNEYS_EDIT)
def progress(rehearsal_id: int) -> str:
    """The block that shows how far it is."""
    _office()
    run = service.load(db.session(), rehearsal_id)
    return render_template("lifecycle/rehearsal/_progress.html", run=run)


@bp.get("/rehearsals/<int:rehearsal_id>/figures")
@requires(Permission.JOURNEYS_EDIT)
def figures(rehearsal_id: int) -> Response:
    """The figures as CSV; no person is named in them."""
    _office()
    run = service.load(db.session(), rehearsal_id)
    if run.result is None:
        raise NotFound(_("There are no figures yet."))
    answer = Response(table(run.result), mimetype="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f"attachment; filename=rehearsal-{run.id}.csv"
    return answer
