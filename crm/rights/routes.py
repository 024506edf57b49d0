"""The staff pages of data rights: one person's, the requests, how requests are dealt with."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.rights import queries, wishes
from crm.rights.choices import RightsRule
from crm.rights.everything import everything, readable
from crm.rights.forms import DeclineForm, EraseForm, HoldForm, RuleForm

bp = Blueprint("rights", __name__)


@bp.get("/people/<int:alumnus_id>/rights")
@requires(Permission.SETTINGS)
def person(alumnus_id: int) -> Any:
    """What a person may ask of their data, for the office to do."""
    return show(load_alumnus(db.session(), current_viewer(), alumnus_id))


def show(alumnus: Alumnus, form: EraseForm | None = None) -> Any:
    """The page of one person's data rights."""
    session = db.session()
    point = queries.usual_address(session, alumnus.id)
    page = render_template(
        "crm/rights/person.html", person=alumnus, form=form or EraseForm(formdata=None),
        hold_form=HoldForm(formdata=None), held=queries.held(session, alumnus.id),
        asked=queries.requests_of(session, alumnus.id), told=point is not None,
    )  # fmt: skip
    return page, 422 if form is not None else 200


@bp.post("/people/<int:alumnus_id>/rights/file.<kind>")
@requires(Permission.SETTINGS)
def person_file(alumnus_id: int, kind: str) -> Response:
    """Everything about a person as a file, to hand to them."""
    alumnus = load_alumnus(db.session(), current_viewer(), alumnus_id)
    told = everything(db.session(), alumnus.id, at=clock.now(), by=current_viewer())
    db.session.commit()
    return file_of(told, kind, alumnus.language)


def file_of(told: dict[str, Any], kind: str, language: str) -> Response:
    """Everything as JSON, or as a page to read and print."""
    if kind == "json":
        body, media = json.dumps(told, ensure_ascii=False, indent=2) + "\n", "application/json"
    else:
        body, media, kind = readable(told, language), "text/html", "html"
    headers = {"Content-Disposition": f"attachment; filename=about-me.{kind}"}
    return Response(body, mimetype=media, headers={**headers, "Cache-Control": "no-store"})


@bp.post("/people/<int:alumnus_id>/rights/erase")
@requires(Permission.SETTINGS)
def erase(alumnus_id: int) -> Any:
    """Forget a person, once their name was typed."""
    alumnus = load_alumnus(db.session(), current_viewer(), alumnus_id)
    form = EraseForm()
    form.name = alumnus.full_name
    if not form.validate():
        return show(alumnus, form)
    wishes.forget(db.session(), alumnus.id, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("This person is forgotten. What stays are counts, and their addresses as hashes."))
    return redirect(url_for("rights.requests"), 303)


@bp.post("/people/<int:alumnus_id>/rights/hold")
@requires(Permission.SETTINGS)
def hold(alumnus_id: int) -> Any:
    """Keep everything of a person as it is."""
    alumnus = load_alumnus(db.session(), current_viewer(), alumnus_id)
    reason = HoldForm().reason.data or ""
    wishes.hold(db.session(), alumnus.id, reason=reason, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Recorded. Nothing of this person is deleted until you end it."))
    return redirect(url_for("rights.person", alumnus_id=alumnus.id), 303)


@bp.post("/people/<int:alumnus_id>/rights/release")
@requires(Permission.SETTINGS)
def release(alumnus_id: int) -> Any:
    """End a legal hold."""
    alumnus = load_alumnus(db.session(), current_viewer(), alumnus_id)
    wishes.release(db.session(), alumnus.id, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Ended. The schedule and erasing hold for this person again."))
    return redirect(url_for("rights.person", alumnus_id=alumnus.id), 303)


@bp.route("/settings/data-requests", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def requests() -> Any:
    """Wishes to be forgotten that wait, those that ended, and how they are dealt with."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    rule = chosen(session, RightsRule)
    form = RuleForm(immediate=rule.immediate, days=rule.days)
    if form.validate_on_submit():
        wanted = RightsRule(immediate=form.immediate.data, days=form.days.data)
        audit.note_choice(session, wanted, "rights.rule_changed", by=viewer, at=at)
        session.commit()
        flash(_("Saved."))
        return redirect(url_for("rights.requests"), 303)
    ended = request.args.get("show") == "ended"
    page = queries.requests_page(
        session, viewer, open_ones=not ended, after=request.args.get("after")
    )
    decline = DeclineForm(formdata=None)
    shown = render_template(
        "crm/rights/requests.html", page=page, ended=ended, form=form, decline=decline,
        today=at.date(),
    )  # fmt: skip
    return shown, 422 if form.errors else 200


@bp.post("/settings/data-requests/<int:wish_id>/decline")
@requires(Permission.SETTINGS)
def decline(wish_id: int) -> Any:
    """Say no to a wish, with the reason."""
    wish = queries.load_request(db.session(), current_viewer(), wish_id)
    form = DeclineForm()
    if not form.validate():
        raise Invalid(_("Write down why: the person gets to read it."), field="why")
    wishes.decline(db.session(), wish, why=form.why.data, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Declined. They are told why by mail."))
    return redirect(url_for("rights.requests"), 303)
