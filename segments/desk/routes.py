"""The request desk's pages: whom to ask and why, and sending the wave."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission
from segments.asks.eligibility import WORDS
from segments.asks.queries import places_left
from segments.desk import service
from segments.desk.beside import lines
from segments.desk.forms import PersonForm, TryForm, WaveForm
from segments.desk.waves import suggest
from segments.desk.words import CIRCLES
from segments.requests.access import load_request
from segments.requests.page import facts

bp = Blueprint("desk", __name__, url_prefix="/requests")


@bp.get("/<int:request_id>/candidates")
@requires(Permission.REQUESTS_ASK)
def candidates(request_id: int) -> str:
    """Candidates side by side, those to ask next ticked, what comes of it, and why not others."""
    viewer, at, session = current_viewer(), clock.now(), db.session()
    found = load_request(session, viewer, request_id)
    wave, tried = service.coming_wave(session, found), _tried(request.args)
    asking = tried.asking(session)
    counted = "others" in request.args or service.quickly_counted(session)
    suggestion = suggest(
        session, found, at=at, viewer=viewer, wave=wave, asking=asking, size=tried.size,
        counted=counted,
    )  # fmt: skip
    plan = suggestion.plan
    values = {"size": plan.size, "fair": round(asking.fairness * 100)}
    return render_template(
        "segments/desk/candidates.html", request_row=found, match=suggestion.match, words=WORDS,
        lines=lines(session, suggestion, at=at), suggestion=suggestion, wave=wave, tried=values,
        named=service.look_up(session, found, request.args.get("person", ""), viewer=viewer, at=at),
        left=places_left(session, found), counted=counted, form=WaveForm(data={"auto": found.auto}),
        person=PersonForm(request.args, meta={"csrf": False}), asking=asking, circles=CIRCLES,
        trying=TryForm(data=values, meta={"csrf": False}), **facts(session, found),
    )  # fmt: skip


def _tried(values: Any) -> service.Tried:
    form = TryForm(values, meta={"csrf": False})
    return service.Tried(form.size.data, form.fair.data) if form.validate() else service.Tried()


@bp.post("/<int:request_id>/asks")
@requires(Permission.REQUESTS_ASK)
def send(request_id: int) -> Any:
    """Ask the people who were ticked."""
    viewer, form = current_viewer(), WaveForm()
    found = load_request(db.session(), viewer, request_id, lock=True)
    people = {int(p) for p in request.form.getlist("person") if p.isascii() and p.isdecimal()}
    wave = service.ask_chosen(
        db.session(),
        found,
        people,
        auto=bool(form.auto.data),
        by=viewer,
        at=clock.now(),
        tried=_tried(request.form),
    )
    db.session.commit()
    flash(ngettext("One person is asked.", "%(num)s people are asked.", len(wave.asked)))
    for alumnus_id, reason in wave.left_out.items():
        why = WORDS.get(reason, reason)
        flash(_("Person %(id)s was left out: they %(why)s.", id=alumnus_id, why=why), "info")
    return redirect(url_for("requests.detail", request_id=request_id), 303)
