"""The model page: which model speaks, how good it is, what drives it, whom it leaves out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, NotFound
from crm.core.jobs import jobs
from crm.core.viewer import Permission, Viewer
from crm.web.forms import Form
from segments.targeting import queries, service, training, views
from segments.targeting.models import ModelTraining, TrainingState

bp = Blueprint("model", __name__)
AWAY = {TrainingState.DONE, TrainingState.FEW, TrainingState.FAILED}


def _office() -> Viewer:
    """The viewer, who must see the whole district: a card knows no wall."""
    viewer = current_viewer()
    if not viewer.sees_district:
        raise NotFound(_("The model is of the whole district, which your account does not see."))
    return viewer


def _way(given: str) -> str:
    """A way that has, or may get, a model of its own; raises `NotFound` for another."""
    known = [key for key, _label in queries.ways(db.session())]
    if given not in known:
        raise NotFound(_("There is no such way to help."))
    return given


@bp.get("/settings/model")
@requires(Permission.SETTINGS)
def page() -> str:
    """The models of one way, the live one with its card."""
    _office()
    session, way = db.session(), _way(request.args.get("way", service.EVERY_WAY))
    live = queries.live_of(session)
    shown = live.get(way)
    wanted = request.args.get("model", type=int)
    history = queries.models_of(session, way)
    if wanted is not None:
        shown = next((r for r in history if r.id == wanted), None)
        if shown is None:
            raise NotFound(_("There is no such model."))
    return render_template(
        "segments/targeting/model.html", way=way, ways=queries.ways(session), live=live,
        shown=shown, history=history, run=queries.latest_training(session, way), away=AWAY,
        missing=queries.missing(session, clock.now()), view=views.of(shown), form=Form(),
        decision_name=views.decision_name,
    )  # fmt: skip


@bp.get("/settings/model/training")
@requires(Permission.SETTINGS)
def progress() -> str:
    """How far the latest training of a way has come."""
    _office()
    way = _way(request.args.get("way", service.EVERY_WAY))
    run = queries.latest_training(db.session(), way)
    return render_template("segments/targeting/_training.html", run=run, way=way, away=AWAY)


@bp.post("/settings/model/train")
@requires(Permission.SETTINGS)
def train() -> Any:
    """Ask a worker to train the model of a way."""
    _office()
    session, way = db.session(), _way(request.form.get("way", service.EVERY_WAY))
    last = queries.latest_training(session, way)
    if last is not None and last.state not in AWAY:
        raise Conflict(_("It is being trained already."))
    run = ModelTraining(way_key=way, state=TrainingState.WAITING, asked_at=clock.now())
    session.add(run)
    session.flush()
    jobs(current_app).enqueue(session, "targeting.train", training_id=run.id)
    session.commit()
    return redirect(url_for("model.page", way=way), 303)


@bp.post("/settings/model/take-back")
@requires(Permission.SETTINGS)
def take_back() -> Any:
    """Make an earlier model the live one, or let the prior speak."""
    viewer = _office()
    session, way, at = db.session(), _way(request.form.get("way", service.EVERY_WAY)), clock.now()
    model_id = request.form.get("model", type=int)
    training.take_back(session, way_key=way, model_id=model_id, by=viewer, at=at)
    service.store_scores(session, way_key=way, at=at)
    session.commit()
    flash(_("Done. Scores follow what speaks now."))
    return redirect(url_for("model.page", way=way), 303)
