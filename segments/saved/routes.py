"""The pages of saved segments."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.query.sentence import said
from segments.saved import queries, service
from segments.saved.forms import SegmentForm

bp = Blueprint("saved", __name__, url_prefix="/segments")


@bp.get("")
@requires(Permission.SEGMENTS)
def index() -> str:
    """Every segment with how many people it means to whoever looks."""
    after = request.args.get("after")
    page = queries.segment_page(db.session(), current_viewer(), after=after, at=clock.now())
    return render_template("segments/saved/index.html", page=page)


@bp.route("/new", methods=["GET", "POST"])
@requires(Permission.PEOPLE_EDIT)
def new() -> Any:
    """Save a query, such as the one just searched for."""
    form = SegmentForm(data={"q": request.args.get("q", "")})
    if form.validate_on_submit():
        session, values = db.session(), {"name": form.name.data, "query": form.q.data or ""}
        try:
            segment = service.create_segment(session, **values, by=current_viewer(), at=clock.now())
            session.commit()
            flash(_("The segment is saved."))
            return redirect(url_for("saved.detail", key=segment.key), 303)
        except Invalid as error:
            session.rollback()
            _show_fault(form, error)
    page = render_template("segments/saved/edit.html", form=form, segment=None)
    return page, 422 if form.errors else 200


@bp.get("/<key>")
@requires(Permission.SEGMENTS)
def detail(key: str) -> str:
    """One segment: its query, how many, some of them, and what uses it."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    segment = queries.load_segment(session, key)
    return render_template(
        "segments/saved/detail.html",
        line=queries.line_of(session, viewer, segment, "", at=at),
        says=said(segment.query, QueryContext(session, viewer, at)),
        sample=queries.sample_of(session, viewer, segment, at=at),
        uses=queries.uses_of(session, key),
        changes=service.may_change(viewer, segment) and viewer.may(Permission.PEOPLE_EDIT),
    )


@bp.route("/<key>/edit", methods=["GET", "POST"])
@requires(Permission.PEOPLE_EDIT)
def edit(key: str) -> Any:
    """Change a segment's name or query."""
    session, viewer = db.session(), current_viewer()
    segment = queries.load_segment(session, key)
    query = request.args.get("q", segment.query)
    form = SegmentForm(data={"name": segment.name, "q": query})
    if form.validate_on_submit():
        values = {"name": form.name.data, "query": form.q.data or ""}
        try:
            service.edit_segment(session, segment, **values, by=viewer, at=clock.now())
            session.commit()
            flash(_("Saved."))
            return redirect(url_for("saved.detail", key=key), 303)
        except Invalid as error:
            session.rollback()
            _show_fault(form, error)
    page = render_template("segments/saved/edit.html", form=form, segment=segment)
    return page, 422 if form.errors else 200


@bp.post("/<key>/freeze")
@requires(Permission.PEOPLE_EDIT)
def freeze(key: str) -> Any:
    """Keep the people whom the segment means now."""
    session = db.session()
    segment = queries.load_segment(session, key)
    amount = service.freeze_segment(session, segment, by=current_viewer(), at=clock.now())
    session.commit()
    flash(_("The segment keeps the %(count)s people it has now.", count=f"{amount:,}"))
    return redirect(url_for("saved.detail", key=key), 303)


@bp.post("/<key>/thaw")
@requires(Permission.PEOPLE_EDIT)
def thaw(key: str) -> Any:
    """Let a frozen segment follow its query again."""
    session = db.session()
    segment = queries.load_segment(session, key)
    service.thaw_segment(session, segment, by=current_viewer(), at=clock.now())
    session.commit()
    flash(_("The segment follows its query again."))
    return redirect(url_for("saved.detail", key=key), 303)


@bp.route("/<key>/delete", methods=["GET", "POST"])
@requires(Permission.PEOPLE_EDIT)
def delete(key: str) -> Any:
    """Ask whether the segment may go (GET), and drop it (POST)."""
    session, viewer = db.session(), current_viewer()
    segment = queries.load_segment(session, key)
    if request.method == "GET":
        uses = queries.uses_of(session, key)
        return render_template("segments/saved/delete.html", segment=segment, uses=uses)
    service.delete_segment(session, segment, by=viewer, at=clock.now())
    session.commit()
    flash(_("The segment is deleted."))
    return redirect(url_for("saved.index"), 303)


def _show_fault(form: SegmentForm, error: Invalid) -> None:
    """Put a refusal beside the field it names."""
    field = form.name if error.field == "name" else form.q
    field.errors = [*field.errors, str(error)]
