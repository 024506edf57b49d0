"""The page that says what was tried for a request and what can be had instead."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug import Response

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission
from segments.asks.queries import places_taken
from segments.desk.instead import give_up, take_instead, tried, ways_out
from segments.desk.routes import bp
from segments.desk.words import CIRCLES
from segments.requests.access import load_request
from segments.requests.page import facts
from segments.requests.service import ASKABLE


@bp.get("/<int:request_id>/instead")
@requires(Permission.REQUESTS_CREATE)
def instead(request_id: int) -> str:
    """What was tried, and what can be had."""
    viewer, session, at = current_viewer(), db.session(), clock.now()
    found = load_request(session, viewer, request_id)
    none_yet = found.state in ASKABLE and not places_taken(session, found)
    return render_template(
        "segments/desk/instead.html", request_row=found, tried=tried(session, found),
        ways_out=list(ways_out(session, found, at)), circles=CIRCLES,
        can_give_up=none_yet and viewer.may(Permission.REQUESTS_ASK), **facts(session, found),
    )  # fmt: skip


@bp.post("/<int:request_id>/instead")
@requires(Permission.REQUESTS_CREATE)
def take(request_id: int) -> Response:
    """Make one of them a draft, or take fewer places."""
    viewer = current_viewer()
    found = load_request(db.session(), viewer, request_id, lock=True)
    key = request.form.get("instead", "")[:80]
    made = take_instead(db.session(), found, key, by=viewer, at=clock.now())
    db.session.commit()
    flash(
        _("A changed draft. Look it over and post it.") if made.id != request_id
        else _("The request is filled with those who said yes.")
    )  # fmt: skip
    return redirect(url_for("requests.detail", request_id=made.id), 303)


@bp.post("/<int:request_id>/unfilled")
@requires(Permission.REQUESTS_ASK)
def unfilled(request_id: int) -> Response:
    """Say honestly that nobody was found."""
    viewer = current_viewer()
    found = load_request(db.session(), viewer, request_id, lock=True)
    give_up(db.session(), found, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("The school is told, with what can be had instead."))
    return redirect(url_for("requests.detail", request_id=request_id), 303)
