"""The staff pages behind the public door: seniors and their posters, lost classmates."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.alumni.export import safe_cell
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.door import classmates, seniors, words
from crm.door.forms import SeniorRuleForm
from crm.door.models import NoteState
from crm.web import charts

bp = Blueprint("seniors", __name__)
notes = Blueprint("classmates", __name__)


@bp.get("/seniors")
@requires(Permission.PEOPLE_VIEW)
def index() -> str:
    """By school, how many seniors left an address that stays, and the days that are left."""
    session, viewer, day = db.session(), current_viewer(), clock.now().date()
    rule = chosen(session, seniors.SeniorRule)
    covers = seniors.coverage(session, viewer, rule, day=day)
    schools = seniors.schools(session, viewer)
    total = sum(cover.seniors for cover in covers)
    safe = sum(cover.covered for cover in covers)
    chart = charts.stacked(
        "coverage", _("Seniors with an address of their own"),
        [(_("will be reached"), safe, "good"), (_("will be lost"), total - safe, "bad")],
    )  # fmt: skip
    return render_template(
        "crm/door/seniors.html", covers=covers, chart=chart, rule=rule, schools=schools,
        left=rule.days_left(day), year=seniors.senior_year(day), total=total, safe=safe,
        without=sum(row.code is None for row in schools),
    )  # fmt: skip


@bp.get("/seniors.csv")
@requires(Permission.PEOPLE_VIEW)
def table() -> Response:
    """The same as a file."""
    session, viewer, day = db.session(), current_viewer(), clock.now().date()
    covers = seniors.coverage(session, viewer, chosen(session, seniors.SeniorRule), day=day)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["school", "class", "seniors", "with_own_address", "percent"])
    year = seniors.senior_year(day)
    writer.writerows(
        [safe_cell(c.school), year, c.seniors, c.covered, round(100 * c.share)] for c in covers
    )
    headers = {"Content-Disposition": f"attachment; filename=seniors-{year}.csv"}
    return Response(out.getvalue(), mimetype="text/csv", headers=headers)


@bp.post("/seniors/codes")
@requires(Permission.PEOPLE_EDIT)
def make_all() -> Any:
    """Addresses for the schools that have none."""
    session, viewer = db.session(), current_viewer()
    new = [row.id for row in seniors.schools(session, viewer) if row.code is None]
    seniors.make_codes(session, new, by=viewer, at=clock.now())
    session.commit()
    flash(ngettext("One poster is ready.", "%(num)d posters are ready.", len(new)))
    return redirect(url_for("seniors.index"), 303)


@bp.get("/seniors/<int:school_id>/poster")
@requires(Permission.PEOPLE_VIEW)
def poster(school_id: int) -> str:
    """The sheet that a school hangs up."""
    school, code = seniors.poster_of(db.session(), current_viewer(), school_id)
    address = f"{current_settings().base_url}/join/{code}" if code else ""
    sheets, drawn = words.poster(address, school.name) if code else ([], None)
    return render_template(
        "crm/door/poster.html", school=school, address=address, sheets=sheets, drawn=drawn
    )


@bp.post("/seniors/<int:school_id>/code")
@requires(Permission.PEOPLE_EDIT)
def renew(school_id: int) -> Any:
    """A new address for one school; the old poster says so."""
    session, viewer = db.session(), current_viewer()
    school, _code = seniors.poster_of(session, viewer, school_id)
    seniors.make_codes(session, [school.id], by=viewer, at=clock.now())
    session.commit()
    flash(_("The poster has a new address. Whoever comes by the old one is told so."))
    return redirect(url_for("seniors.poster", school_id=school_id), 303)


@bp.route("/settings/seniors", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def rule() -> Any:
    """When school accounts close, and what is a school's address."""
    session, at = db.session(), clock.now()
    now = chosen(session, seniors.SeniorRule)
    form = SeniorRuleForm(
        closes_on=now.closes_on, domains="\n".join(now.domains), enough=now.enough,
        warn_days=now.warn_days,
    )  # fmt: skip
    if form.validate_on_submit():
        audit.note_choice(
            session, form.wanted(), "seniors.rule_changed", by=current_viewer(), at=at
        )
        session.commit()
        flash(_("Saved."))
        return redirect(url_for("seniors.rule"), 303)
    return render_template("crm/door/rule.html", form=form), 422 if form.errors else 200


@notes.get("/classmates", endpoint="index")
@requires(Permission.PEOPLE_EDIT)
def notes_index() -> str:
    """Lost classmates whom somebody told us of, without an address that we could write to."""
    ended = request.args.get("show") == "ended"
    page = classmates.notes_page(
        db.session(), current_viewer(), ended=ended, after=request.args.get("after")
    )
    return render_template("crm/door/classmates.html", page=page, ended=ended)


@notes.post("/classmates/<int:note_id>/end")
@requires(Permission.PEOPLE_EDIT)
def end(note_id: int) -> Any:
    """Done, put aside, or open again."""
    try:
        state = NoteState(request.form.get("state", ""))
    except ValueError:
        state = NoteState.INVITING
    if state is NoteState.INVITING:
        raise Invalid(_("Choose what became of it."))
    classmates.end(db.session(), note_id, state, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Saved. You find it under Ended, and can open it again."))
    show = "ended" if state is NoteState.OPEN else None
    return redirect(url_for("classmates.index", show=show), 303)
