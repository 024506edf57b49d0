"""The pages of bulk changes: choose, preview, apply, follow, take back."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.bulk import background, queries, service
from crm.bulk.engine import action_of
from crm.bulk.forms import action_form, options_form
from crm.bulk.models import BulkRun, Fate
from crm.bulk.words import FATES, REASONS, STATES
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.query import QueryError, compile_query, count_up_to

bp = Blueprint("bulk", __name__, url_prefix="/bulk")
LARGEST_ID = 2**63 - 1


@bp.app_context_processor
def labels() -> dict[str, Any]:
    """The words for states and fates."""
    return {"bulk_states": STATES, "bulk_fates": FATES}


@bp.get("")
@requires(Permission.PEOPLE_EDIT)
def index() -> str:
    """Every change to many people at once."""
    page = queries.runs_page(db.session(), current_viewer(), after=request.args.get("after"))
    return render_template("crm/bulk/index.html", page=page)


@bp.get("/new")
@requires(Permission.PEOPLE_EDIT)
def new() -> tuple[str, int]:
    """Choose what to do, and then how."""
    return _new_page(request.args.get("action"))


@bp.post("/new")
@requires(Permission.PEOPLE_EDIT)
def ask() -> Any:
    """Have the people looked at: nothing is changed yet."""
    session, viewer = db.session(), current_viewer()
    action = action_of(request.form.get("action", ""))
    form = options_form(session, viewer, action)
    if not form.validate_on_submit():
        return _new_page(action.key, form)
    try:
        run = service.ask(
            session, viewer, action=action.key, options=form.options(),
            query=request.form.get("q", ""), chosen=_chosen(), at=clock.now(),
        )  # fmt: skip
        session.commit()
    except QueryError:
        session.rollback()
        return _new_page(action.key, form)
    except Invalid as error:
        session.rollback()
        if error.field in form:
            form[error.field].errors = [*form[error.field].errors, str(error)]
        else:
            form.form_errors.append(str(error))
        return _new_page(action.key, form)
    return redirect(url_for("bulk.detail", run_id=run.id), 303)


def _chosen() -> list[int] | None:
    """The people chosen by hand, or None for everybody whom the query means."""
    given = request.values.getlist("id")
    if not given and not request.values.get("chosen"):
        return None
    plain = (text for text in given if text.isascii() and text.isdecimal() and len(text) < 19)
    return sorted({int(text) for text in plain})


def _new_page(action_key: str | None, form: Any = None) -> tuple[str, int]:
    session, viewer, at = db.session(), current_viewer(), clock.now()
    query, chosen = request.values.get("q", ""), _chosen()
    values: dict[str, Any] = {
        "query": query,
        "chosen": chosen,
        "actions": action_form(viewer).action,
    }
    try:
        compiled = compile_query(query, QueryContext(session, viewer, at))
        values["count"], values["more"] = count_up_to(session, compiled, 10_000)
        if chosen is not None:
            values["count"] = queries.chosen_inside(session, viewer, chosen)
            values["more"] = False
    except QueryError as error:
        values["fault"] = error
    if action_key:
        values["action"] = action_of(action_key)
        values["form"] = form or options_form(session, viewer, values["action"])
    wrong = "fault" in values or bool(form and form.errors)
    return render_template("crm/bulk/new.html", **values), 422 if wrong else 200


@bp.get("/<int:run_id>")
@requires(Permission.PEOPLE_EDIT)
def detail(run_id: int) -> str:
    """Where a change stands: what it would do, how far it is, what it did."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    run = queries.load_run(session, viewer, run_id)
    action, fate = action_of(run.action), _fate(request.args.get("fate"))
    people = queries.people_page(session, viewer, run, fate=fate, after=request.args.get("after"))
    words = {**REASONS, **action.reasons}
    return render_template(
        "crm/bulk/detail.html", run=run, asker=queries.asker_of(session, run), fate=fate,
        people=people, shown=lambda value: action.shown(run.options, value),
        picture=queries.picture(run) if run.totals else None, protects=action.back is None,
        undoable=service.can_undo(run, at), days=service.UNDO_FOR.days,
        lost=background.is_lost(run, at), bulk_reasons=words,
        told_apart=[f"{fate}:{reason}" for fate in (Fate.KEPT, Fate.STAYS) for reason in words],
    )  # fmt: skip


def _fate(text: str | None) -> Fate | None:
    return Fate(text) if text in set(Fate) else None


@bp.get("/<int:run_id>/progress")
@requires(Permission.PEOPLE_EDIT)
def progress(run_id: int) -> str:
    """The block that shows how far it is."""
    run = queries.load_run(db.session(), current_viewer(), run_id)
    lost = background.is_lost(run, clock.now())
    return render_template("crm/bulk/_progress.html", run=run, lost=lost)


@bp.post("/<int:run_id>/apply")
@requires(Permission.PEOPLE_EDIT)
def apply(run_id: int) -> Any:
    """Do it, or go on with it."""
    run, viewer, at = _locked(run_id)
    service.apply(db.session(), run, by=viewer, at=at)
    return _done(run)


@bp.post("/<int:run_id>/undo")
@requires(Permission.PEOPLE_EDIT)
def undo(run_id: int) -> Any:
    """Take it back where it is still so."""
    run, viewer, at = _locked(run_id)
    service.undo(db.session(), run, by=viewer, at=at)
    return _done(run)


@bp.post("/<int:run_id>/stop")
@requires(Permission.PEOPLE_EDIT)
def stop(run_id: int) -> Any:
    """Give it up, or stop it between two batches."""
    run, viewer, at = _locked(run_id)
    service.stop(db.session(), run, by=viewer, at=at)
    flash(_("It is stopped."))
    return _done(run)


@bp.post("/<int:run_id>/again")
@requires(Permission.PEOPLE_EDIT)
def again(run_id: int) -> Any:
    """Have somebody work on it whose worker died."""
    run, viewer, at = _locked(run_id)
    service.again(db.session(), run, by=viewer, at=at)
    return _done(run)


def _locked(run_id: int) -> tuple[BulkRun, Any, Any]:
    viewer = current_viewer()
    return queries.load_run(db.session(), viewer, run_id, lock=True), viewer, clock.now()


def _done(run: BulkRun) -> Any:
    db.session.commit()
    return redirect(url_for("bulk.detail", run_id=run.id), 303)
