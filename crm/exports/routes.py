"""The pages of exports: ask, follow, decide, fetch."""

from __future__ import annotations

from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    send_file,
    stream_with_context,
    url_for,
)
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts.access import current_viewer, requires, viewer_for
from crm.accounts.models import User
from crm.alumni.export import DEFAULT, note_export, stream_people
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, Invalid
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.exports import making, queries, service
from crm.exports.columns import SETS, USUAL, headings
from crm.exports.forms import DecisionForm, ExportForm, export_form
from crm.exports.models import ExportRun, ExportState, Format
from crm.exports.words import STATES
from crm.query import QueryError, compile_query

bp = Blueprint("exports", __name__, url_prefix="/exports")
quick = Blueprint("people_export", __name__)
TYPES = {
    Format.CSV: "text/csv",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@bp.app_context_processor
def labels() -> dict[str, Any]:
    """The words for states."""
    return {"export_states": STATES}


@quick.post("/people/export")
@requires(Permission.EXPORT)
def people() -> Any:
    """A small file as CSV at once, noted before a row leaves; a large one is asked for."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    text = request.form.get("q", "")
    compiled = compile_query(text, QueryContext(session, viewer, at))
    if not service.take_at_once(session, viewer, compiled, at=at):
        session.rollback()
        flash(_("So many people leave only when a second person agrees. Say what they are for."))
        return redirect(url_for("exports.new", q=text), 303)
    note_export(session, compiled, viewer, at=at, to="browser", columns=list(DEFAULT))
    session.commit()
    body = stream_with_context(stream_people(session, compiled, viewer))
    headers = {"Content-Disposition": f"attachment; filename=people-{at:%Y-%m-%d}.csv"}
    return Response(body, mimetype="text/csv", headers=headers)


@bp.get("")
@requires(Permission.EXPORT)
def index() -> str:
    """What waits for me, and every export that I asked for or decided."""
    session, viewer = db.session(), current_viewer()
    return render_template(
        "crm/exports/index.html",
        waiting=queries.waiting_for(session, viewer, clock.now()),
        page=queries.runs_page(session, viewer, after=request.args.get("after")),
    )


@bp.get("/new")
@requires(Permission.EXPORT)
def new() -> tuple[str, int]:
    """Choose the columns and the kind of file."""
    text, columns = request.args.get("q", ""), request.args.get("columns", USUAL)
    return _form_page(export_form(db.session(), current_viewer(), text, columns))


@bp.post("/new")
@requires(Permission.EXPORT)
def ask() -> Any:
    """Ask for a file."""
    session, viewer = db.session(), current_viewer()
    form = export_form(session, viewer, request.form.get("q", ""))
    if not form.validate_on_submit():
        return _form_page(form)
    try:
        run = service.ask(
            session, viewer, form.q.data or "", columns=form.columns.data,
            kind=Format(form.kind.data), reason=form.reason.data or "", at=clock.now(),
        )  # fmt: skip
        session.commit()
    except QueryError:
        session.rollback()
        return _form_page(form)
    except Invalid as error:
        session.rollback()
        known = error.field if error.field in form else None
        if known:
            form[known].errors = [*form[known].errors, str(error)]
        else:
            form.form_errors.append(str(error))
        return _form_page(form)
    return redirect(url_for("exports.detail", export_id=run.id), 303)


def _form_page(form: ExportForm) -> tuple[str, int]:
    """The form with how many the query means, or what is wrong with it."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    values: dict[str, Any] = {"form": form, "query": form.q.data or "", "sets": SETS}
    try:
        compiled = compile_query(values["query"], QueryContext(session, viewer, at))
        amount = queries.amount_of(session, compiled)
        taken = queries.taken_alone(session, viewer.user_id or 0, at)
        values |= {"amount": amount, "taken": taken, "alone": queries.alone()}
        values["second"] = taken + amount.people > queries.alone()
    except QueryError as error:
        values["fault"] = error
    page = render_template("crm/exports/new.html", **values)
    return page, 422 if form.errors or "fault" in values else 200


@bp.get("/<int:export_id>")
@requires(Permission.EXPORT)
def detail(export_id: int) -> str:
    """Where an export stands: what waits, how far the file is, or the file."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    run = queries.load_run(session, viewer, export_id)
    decides = run.state is ExportState.WAITING and queries.may_decide(viewer, run)
    return render_template(
        "crm/exports/detail.html", row=queries.row_of(session, run), run=run,
        mine=run.asked_by == viewer.user_id, columns=headings(session, run.columns),
        stuck=_stuck(session, run), lapses=run.asked_at + queries.LAPSE,
        form=DecisionForm(formdata=None) if decides else None,
        **(_now_meant(session, run, at) if decides else {}),
    )  # fmt: skip


def _now_meant(session: Session, run: ExportRun, at: Any) -> dict[str, Any]:
    """How many the query means now, for who asked: what the second person agrees to."""
    asker = viewer_for(session, session.get_one(User, run.asked_by))
    try:
        compiled = compile_query(run.query, QueryContext(session, asker, at))
    except QueryError as error:
        return {"fault": error}
    return {"amount": queries.amount_of(session, compiled)}


def _stuck(session: Session, run: ExportRun) -> bool:
    return run.state is ExportState.MAKING and not making.is_worked_on(session, run)


@bp.get("/<int:export_id>/progress")
@requires(Permission.EXPORT)
def progress(export_id: int) -> str:
    """The block that shows how far the file is."""
    session, viewer = db.session(), current_viewer()
    run = queries.load_run(session, viewer, export_id)
    mine = run.asked_by == viewer.user_id
    return render_template(
        "crm/exports/_progress.html", run=run, stuck=_stuck(session, run), mine=mine
    )


@bp.post("/<int:export_id>/approve")
@requires(Permission.EXPORT, fresh=True)
def approve(export_id: int) -> Any:
    """Agree as the second person."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    run = queries.load_run(session, viewer, export_id, lock=True)
    form = _decision()
    amount = _now_meant(session, run, at).get("amount")
    seen = form.people.data
    if amount is None or amount.people > seen:
        raise Conflict(_("The query means more people than you saw. Look at it again."))
    service.approve(session, run, people=amount.people, word=form.word.data or "", by=viewer, at=at)
    session.commit()
    flash(_("You agreed. The file is being made for who asked."))
    return redirect(url_for("exports.detail", export_id=run.id), 303)


@bp.post("/<int:export_id>/decline")
@requires(Permission.EXPORT)
def decline(export_id: int) -> Any:
    """Say no as the second person."""
    session, viewer = db.session(), current_viewer()
    run = queries.load_run(session, viewer, export_id, lock=True)
    form = _decision()
    service.decline(session, run, word=form.word.data or "", by=viewer, at=clock.now())
    session.commit()
    flash(_("You declined. Nothing leaves."))
    return redirect(url_for("exports.detail", export_id=run.id), 303)


def _decision() -> DecisionForm:
    form = DecisionForm()
    if not form.validate():
        raise Invalid(" ".join(e for errors in form.errors.values() for e in errors))
    return form


@bp.post("/<int:export_id>/cancel")
@requires(Permission.EXPORT)
def cancel(export_id: int) -> Any:
    """Give an export up."""
    session, viewer = db.session(), current_viewer()
    run = queries.load_run(session, viewer, export_id, lock=True)
    service.cancel(session, run, by=viewer, at=clock.now())
    session.commit()
    flash(_("The export is given up."))
    return redirect(url_for("exports.detail", export_id=run.id), 303)


@bp.post("/<int:export_id>/again")
@requires(Permission.EXPORT)
def again(export_id: int) -> Any:
    """Have a file made whose worker died."""
    session, viewer = db.session(), current_viewer()
    run = queries.load_run(session, viewer, export_id, lock=True)
    service.again(session, run, by=viewer, at=clock.now())
    session.commit()
    return redirect(url_for("exports.detail", export_id=run.id), 303)


@bp.post("/<int:export_id>/delete")
@requires(Permission.EXPORT)
def delete(export_id: int) -> Any:
    """Delete a file before its time."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    run = queries.load_run(session, viewer, export_id, lock=True)
    if run.state is not ExportState.READY:
        raise Conflict(_("The file is no longer here."))
    name = service.take_down(session, run, state=ExportState.GONE, error=None, at=at, by=viewer)
    session.commit()
    making.delete_file(name)
    flash(_("The file is deleted."))
    return redirect(url_for("exports.detail", export_id=run.id), 303)


@bp.post("/<int:export_id>/file")
@requires(Permission.EXPORT, fresh=True)
def fetch(export_id: int) -> Any:
    """Hand the file to who asked for it, and write that down first."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    run = queries.load_run(session, viewer, export_id, lock=True)
    service.note_download(session, run, by=viewer, at=at)
    if not queries.holds_still(session, run):
        session.rollback()
        run = queries.load_run(session, viewer, export_id, lock=True)
        name = service.take_down(session, run, state=ExportState.VOID, error=making.LEFT, at=at)
        session.commit()
        making.delete_file(name)
        raise Conflict(making.LEFT)
    path = making.folder() / (run.stored_as or "")
    if not path.is_file():
        session.rollback()
        raise Conflict(_("The file is not on this machine. Ask for it again."))
    session.commit()
    name = f"people-{run.id}.{run.format.value}"
    answer = send_file(path, mimetype=TYPES[run.format], as_attachment=True, download_name=name)
    answer.cache_control.no_store = True
    return answer
