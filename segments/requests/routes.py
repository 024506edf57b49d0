"""Posting a request, its page, and what a school or the office decides about one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug import Response

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, Invalid
from crm.core.extend import extensions
from crm.core.viewer import Permission
from segments.requests import page, service
from segments.requests.access import load_request
from segments.requests.extend import request_extensions
from segments.requests.forms import ReasonForm, RequestForm

bp = Blueprint("requests", __name__, url_prefix="/requests")


@bp.get("/new")
@requires(Permission.REQUESTS_CREATE)
def new() -> str:
    """The empty form, with what is most likely filled in."""
    form = page.offered(RequestForm(data=page.defaults(current_viewer())), current_viewer())
    return render_template("segments/requests/form.html", form=form, request_row=None)


@bp.post("/new")
@requires(Permission.REQUESTS_CREATE)
def create() -> Any:
    """Post a request."""
    viewer = current_viewer()
    form = page.offered(RequestForm(), viewer)
    made = page.submit(form, viewer, lambda draft: service.create_request(
        db.session(), draft, by=viewer, at=clock.now(), submit="draft" not in request.form
    ))  # fmt: skip
    if made is None:
        return render_template("segments/requests/form.html", form=form, request_row=None), 422
    db.session.commit()
    flash(_("Your request is posted. You can follow it here."))
    return redirect(url_for("requests.detail", request_id=made.id), 303)


@bp.get("/<int:request_id>")
@requires(Permission.REQUESTS_VIEW)
def detail(request_id: int) -> str:
    """One request: what is wanted, how far it has come, and what to do next."""
    viewer, at = current_viewer(), clock.now()
    found = load_request(db.session(), viewer, request_id)
    panels = extensions().panels(request_extensions().panels, viewer, found, at)
    values = page.facts(db.session(), found)
    return render_template(
        "segments/requests/detail.html", request_row=found, panels=panels, reason=ReasonForm(),
        at=at,
        **values, **page.actions(viewer, found),
    )  # fmt: skip


@bp.get("/<int:request_id>/edit")
@requires(Permission.REQUESTS_CREATE)
def edit(request_id: int) -> str:
    """The form with what the request says now."""
    viewer = current_viewer()
    found = load_request(db.session(), viewer, request_id)
    if found.state not in service.EDITABLE:
        raise Conflict(_("This request was approved already. Cancel it and post a new one."))
    form = page.offered(RequestForm(data=page.current(db.session(), found)), viewer)
    return render_template("segments/requests/form.html", form=form, request_row=found)


@bp.post("/<int:request_id>/edit")
@requires(Permission.REQUESTS_CREATE)
def save(request_id: int) -> Any:
    """Change what a request says."""
    viewer = current_viewer()
    found = load_request(db.session(), viewer, request_id, lock=True)
    form = page.offered(RequestForm(), viewer)
    saved = page.submit(form, viewer, lambda draft: service.edit_request(
        db.session(), found, draft, by=viewer, at=clock.now()
    ))  # fmt: skip
    if saved is None:
        return render_template("segments/requests/form.html", form=form, request_row=found), 422
    db.session.commit()
    flash(_("The request is changed."))
    return redirect(url_for("requests.detail", request_id=request_id), 303)


@bp.post("/<int:request_id>/submit")
@requires(Permission.REQUESTS_CREATE)
def submit(request_id: int) -> Response:
    """Hand a draft over for approval."""
    found = load_request(db.session(), current_viewer(), request_id, lock=True)
    service.submit_request(db.session(), found, by=current_viewer(), at=clock.now())
    return _done(request_id, _("Your request is posted."))


@bp.post("/<int:request_id>/approve")
@requires(Permission.REQUESTS_ASK)
def approve(request_id: int) -> Response:
    """Let alumni be asked for it."""
    found = load_request(db.session(), current_viewer(), request_id, lock=True)
    service.approve(db.session(), found, by=current_viewer(), at=clock.now())
    return _done(request_id, _("Approved. Choose whom to ask."))


@bp.post("/<int:request_id>/send-back")
@requires(Permission.REQUESTS_ASK)
def send_back(request_id: int) -> Response:
    """Give it back to the school with what should change."""
    found = load_request(db.session(), current_viewer(), request_id, lock=True)
    form = ReasonForm()
    if not form.validate():
        raise Invalid(_("Say in at most 500 characters what should change."), field="reason")
    words = form.reason.data or ""
    service.send_back(db.session(), found, words, by=current_viewer(), at=clock.now())
    return _done(request_id, _("Sent back to the school with your reason."))


@bp.post("/<int:request_id>/cancel")
@requires(Permission.REQUESTS_CREATE)
def cancel(request_id: int) -> Response:
    """Call it off; whoever said yes is told."""
    found = load_request(db.session(), current_viewer(), request_id, lock=True)
    words = str(request.form.get("reason", ""))
    service.cancel(db.session(), found, by=current_viewer(), at=clock.now(), reason=words)
    return _done(request_id, _("The request is cancelled."))


def _done(request_id: int, words: str) -> Response:
    db.session.commit()
    flash(words)
    return redirect(url_for("requests.detail", request_id=request_id), 303)
