"""The pages of imports: upload, mapping, dry run, result, apply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
)
from flask import url_for as url
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import HomecomingError
from crm.core.extend import extensions
from crm.core.viewer import Permission
from crm.imports import background, queries, remembered, uploads
from crm.imports.forms import UploadForm, directions_from, meanings_from
from crm.imports.labels import (
    COLUMN_FATES,
    CUSTOM_KINDS,
    EARLIER,
    FATES,
    KINDS,
    MEANINGS,
    PHASES,
    STATES,
)
from crm.imports.layout import may_refuse
from crm.imports.layouts import LAYOUTS
from crm.imports.models import Fate, ImportRun, ImportState
from crm.imports.reasons import faults_of, in_reader_words
from crm.imports.report import fates_csv
from crm.imports.targets import LABELS, custom_parts
from crm.imports.undoing import undo_import
from crm.schools.queries import school_choices, sure_names

bp = Blueprint("imports", __name__, url_prefix="/imports")
BUSY = {ImportState.CHECKING, ImportState.APPLYING}


@bp.app_context_processor
def labels() -> dict[str, Any]:
    """The words for fates and states, for these pages and the home page."""
    return {
        "import_states": STATES, "import_fates": FATES, "import_phases": PHASES,
        "faults_of": faults_of, "reason_words": in_reader_words,
        "custom_kinds": CUSTOM_KINDS, "may_refuse": may_refuse,
    }  # fmt: skip


@bp.get("")
@requires(Permission.IMPORT)
def index() -> str:
    """Every import, and where to bring the next file."""
    page = queries.runs_page(db.session(), after=request.args.get("after"))
    return render_template(
        "crm/imports/index.html", page=page, form=UploadForm(), kinds=KINDS, earlier=EARLIER
    )


@bp.post("")
@requires(Permission.IMPORT)
def upload() -> Any:
    """Keep a file and show how it would be read."""
    form = UploadForm()
    session = db.session()
    if not form.validate_on_submit():
        page = queries.runs_page(session, after=None)
        values = {"page": page, "form": form, "kinds": KINDS, "earlier": EARLIER}
        return render_template("crm/imports/index.html", **values), 422
    part = uploads.store_upload(form.file.data.stream, form.file.data.filename or "")
    try:
        run = uploads.start_upload(session, part, by=current_viewer(), at=clock.now())
    except HomecomingError:
        part.path.unlink(missing_ok=True)
        raise
    session.commit()
    return redirect(url("imports.detail", import_id=run.id), 303)


@bp.get("/<int:import_id>")
@requires(Permission.IMPORT)
def detail(import_id: int) -> str:
    """Where an import stands: its mapping, its progress or the fates of its lines."""
    session = db.session()
    run = queries.load_run(session, import_id)
    fate = _fate(request.args.get("fate"))
    lines = queries.lines_page(session, run.id, fate=fate, after=request.args.get("after"))
    return render_template(
        "crm/imports/detail.html", run=run, lines=lines, fate=fate, kinds=KINDS, earlier=EARLIER,
        mapping=_mapping(session, run) if run.state in uploads.OPEN and run.stored_as else None,
        schools=school_choices(session, current_viewer()), meanings=MEANINGS,
        stuck=run.state in BUSY and not background.is_worked_on(session, run),
        panels=extensions().panels(extensions().import_panels, run.id),
    )  # fmt: skip


@bp.get("/<int:import_id>/progress")
@requires(Permission.IMPORT)
def progress(import_id: int) -> str:
    """The block that shows how far a check or an apply has come."""
    session = db.session()
    run = queries.load_run(session, import_id)
    stuck = run.state in BUSY and not background.is_worked_on(session, run)
    return render_template("crm/imports/_progress.html", run=run, stuck=stuck)


@contextmanager
def _held(import_id: int) -> Iterator[tuple[Session, ImportRun]]:
    """An import whose row is locked: what is done to it is committed at the end."""
    session = db.session()
    yield session, queries.load_run(session, import_id, lock=True)
    session.commit()


def _page_of(import_id: int) -> Any:
    return redirect(url("imports.detail", import_id=import_id), 303)


@bp.post("/<int:import_id>/mapping")
@requires(Permission.IMPORT)
def choose(import_id: int) -> Any:
    """Read the columns otherwise, and remember it for the next file with such columns."""
    with _held(import_id) as (session, run):
        layout = request.form.get("layout", "auto")
        columns = directions_from(request.form, remembered.header_of(run))
        asked = uploads.asked_of(run)
        uploads.choose(session, run, layout=layout, directions=replace(asked, columns=columns))
        if request.form.get("remember"):
            sender = request.form.get("sender", "")
            remembered.remember(session, run, name=sender, by=current_viewer(), at=clock.now())
    return _page_of(import_id)


@bp.post("/<int:import_id>/mapping/<int:mapping_id>")
@requires(Permission.IMPORT)
def use_mapping(import_id: int, mapping_id: int) -> Any:
    """Read the columns as they were read before."""
    with _held(import_id) as (session, run):
        mapping = remembered.load(session, mapping_id)
        remembered.use(session, run, mapping, at=clock.now())
    flash(_("The columns are read as remembered for %(name)s.", name=mapping.name))
    return _page_of(import_id)


@bp.post("/<int:import_id>/meanings")
@requires(Permission.IMPORT)
def tell_meanings(import_id: int) -> Any:
    """Say which schools and statuses the file means, and check it again."""
    with _held(import_id) as (session, run):
        directions = meanings_from(request.form, run, sure_names(session))
        uploads.choose(session, run, layout=run.layout or "auto", directions=directions)
        background.enqueue(session, run, to=ImportState.CHECKING, by=current_viewer())
    return _page_of(import_id)


@bp.post("/<int:import_id>/partial")
@requires(Permission.IMPORT)
def partial(import_id: int) -> Any:
    """Check a file that breaks off, up to its last good line."""
    with _held(import_id) as (session, run):
        uploads.take_partly(session, run, by=current_viewer(), at=clock.now())
        background.enqueue(session, run, to=ImportState.CHECKING, by=current_viewer())
    return _page_of(import_id)


@bp.post("/<int:import_id>/stop")
@requires(Permission.IMPORT)
def stop(import_id: int) -> Any:
    """Break off a check or an apply under way; nothing of it is kept."""
    with _held(import_id) as (session, run):
        background.stop(session, run, by=current_viewer(), at=clock.now())
    background.interrupt(session, import_id)
    flash(_("Stopped. Nothing of it was kept."))
    return _page_of(import_id)


@bp.post("/<int:import_id>/check")
@requires(Permission.IMPORT)
def check(import_id: int) -> Any:
    """Find out what would happen to each line."""
    return _start(import_id, ImportState.CHECKING)


@bp.post("/<int:import_id>/apply")
@requires(Permission.IMPORT)
def apply(import_id: int) -> Any:
    """Write what the check found."""
    return _start(import_id, ImportState.APPLYING)


def _start(import_id: int, to: ImportState) -> Any:
    with _held(import_id) as (session, run):
        background.enqueue(session, run, to=to, by=current_viewer())
    return _page_of(import_id)


@bp.post("/<int:import_id>/cancel")
@requires(Permission.IMPORT)
def cancel(import_id: int) -> Any:
    """Give an import up and delete its file."""
    with _held(import_id) as (session, run):
        uploads.cancel(session, run, by=current_viewer(), at=clock.now())
    uploads.forget_file(run)
    return redirect(url("imports.index"), 303)


@bp.post("/<int:import_id>/undo")
@requires(Permission.IMPORT)
def undo(import_id: int) -> Any:
    """Take back what an applied import did."""
    with _held(import_id) as (session, run):
        undo_import(session, run, at=clock.now(), by=current_viewer())
    return _page_of(import_id)


@bp.get("/<int:import_id>/lines.csv")
@requires(Permission.IMPORT)
def download(import_id: int) -> Response:
    """The fate of every line, as a file."""
    session = db.session()
    run = queries.load_run(session, import_id)
    body = stream_with_context(fates_csv(queries.all_lines(session, run.id)))
    headers = {"Content-Disposition": f'attachment; filename="import-{run.id}-lines.csv"'}
    return Response(body, mimetype="text/csv", headers=headers)


def _fate(text: str | None) -> Fate | None:
    return Fate(text) if text in set(Fate) else None


def _mapping(session: Session, run: ImportRun) -> dict[str, Any] | None:
    """What the mapping table shows; None if the file is gone or no longer fits."""
    try:
        table = uploads.reopen(run)
        plan = uploads.plan_of(run, table)
        sample = uploads.sample_of(table)
    except HomecomingError as error:
        return {"fault": str(error)}
    return {
        "plan": plan, "sample": sample, "table": table, "layouts": LAYOUTS, "targets": LABELS,
        "directions": uploads.asked_of(run).columns, "column_fates": COLUMN_FATES,
        "offered": remembered.offered(session, run), "parts": custom_parts,
    }  # fmt: skip
