"""The board's pages: lanes or a list, a file of it, schools side by side, and the times chosen."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange

from crm.accounts.access import current_viewer, requires
from crm.accounts.audit import note_choice
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission, Role, Viewer
from crm.web import cells, charts
from crm.web.forms import Form
from segments.requests import board
from segments.requests.life import MOST_DAYS, RequestTimes, recount
from segments.requests.routes import bp
from segments.requests.words import STATES, due_words, next_step

HEADINGS = (
    "id", "title", "school", "way", "state", "due", "next", "first_date", "places", "posted_by",
    "posted_at",
)  # fmt: skip


@bp.get("")
@requires(Permission.REQUESTS_VIEW)
def index() -> str:
    """The board: lanes by state, the soonest due first, or a list of what a filter names."""
    viewer, session, at = current_viewer(), db.session(), clock.now()
    wanted = board.read_filters(request.args)
    values: dict[str, Any] = {
        "wanted": wanted, "counts": board.counts(session, viewer, wanted, at), "at": at,
        "choices": board.choices(session, viewer), "own": viewer.role is Role.SCHOOL,
    }  # fmt: skip
    if _as_list(viewer, wanted):
        page = board.listed(session, viewer, wanted, after=request.args.get("after"), at=at)
        args = {"view": "list", **wanted.given()}
        return render_template("segments/requests/index.html", page=page, args=args, **values)
    lanes = board.lanes(session, viewer, wanted, at)
    return render_template("segments/requests/index.html", lanes=lanes, **values)


def _as_list(viewer: Viewer, wanted: board.Filters) -> bool:
    """A list where one is asked for or one group is wanted; a school's own requests are one."""
    view = request.args.get("view") or ("list" if viewer.role is Role.SCHOOL else "board")
    return view == "list" or bool(wanted.group)


@bp.get("/requests.csv")
@requires(Permission.REQUESTS_VIEW)
def table() -> Response:
    """What the filters name as a file; it holds nothing of any alumnus."""
    viewer, at = current_viewer(), clock.now()
    wanted = board.read_filters(request.args)
    rows = [HEADINGS, *(_cells(row) for row in board.rows_of(db.session(), viewer, wanted, at))]
    headers = {"Content-Disposition": "attachment; filename=requests.csv"}
    return Response(cells.lines(rows), mimetype="text/csv", headers=headers)


def _cells(row: Any) -> tuple[Any, ...]:
    one, at = row.Request, clock.now()
    return (
        one.id, one.title, row.school, row.way, STATES[one.state], due_words(one, at),
        next_step(one, row.zone, at), row.first_date, one.places, row.poster or "", one.created_at,
    )  # fmt: skip


@bp.get("/schools")
@requires(Permission.REQUESTS_VIEW)
def schools() -> str:
    """Schools side by side: how many of a year's requests were filled, and how soon."""
    viewer, session, at = current_viewer(), db.session(), clock.now()
    wanted = board.read_filters(request.args)
    rows = board.schools_side_by_side(session, viewer, at, cluster=wanted.cluster)
    share = charts.bars(
        "filled", _("Requests filled, of a hundred posted"),
        [(row.name, round(100 * row.filled / row.posted)) for row in rows],
    )  # fmt: skip
    days = charts.bars(
        "days", _("Median days from the approval to the last yes"),
        [(row.name, round(row.days, 1)) for row in rows if row.days is not None],
    )  # fmt: skip
    return render_template(
        "segments/requests/schools.html", rows=rows, share=share, days=days, wanted=wanted,
        choices=board.choices(session, viewer),
    )  # fmt: skip


def _days(label: Any, least: int = 1) -> IntegerField:
    return IntegerField(label, validators=[InputRequired(), NumberRange(least, MOST_DAYS)])


class TimesForm(Form):
    """How many days each state may last, and how near the first date may come."""

    draft = _days(lazy_gettext("A draft is posted within (days)"))
    submitted = _days(lazy_gettext("The office decides within (days)"))
    approved = _days(lazy_gettext("The first wave goes within (days)"))
    asking = _days(lazy_gettext("The places are filled within (days)"))
    filled = _days(lazy_gettext("The school says how it was, after the visit, within (days)"))
    done = _days(lazy_gettext("Whoever came is thanked within (days)"))
    draft_before = _days(lazy_gettext("Posted, before the first date (days)"), 0)
    submitted_before = _days(lazy_gettext("Approved, before the first date (days)"), 0)
    approved_before = _days(lazy_gettext("First wave, before the first date (days)"), 0)
    asking_before = _days(lazy_gettext("Filled, before the first date (days)"), 0)
    ahead = IntegerField(
        lazy_gettext("Tell whom it concerns so many days ahead"),
        validators=[InputRequired(), NumberRange(1, 14)],
    )


@bp.route("/times", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def times() -> Any:
    """How long each state of a request may last."""
    session, at = db.session(), clock.now()
    form = TimesForm(data=chosen(session, RequestTimes).model_dump())
    if form.validate_on_submit():
        wanted = RequestTimes.model_validate(
            {name: value for name, value in form.data.items() if name != "csrf_token"}
        )
        if note_choice(session, wanted, "request_times.changed", by=current_viewer(), at=at):
            recount(session)
        session.commit()
        flash(_("Saved. Every request under way is due by these times now."))
        return redirect(url_for("requests.times"), 303)
    return render_template("segments/requests/times.html", form=form), 422 if form.errors else 200
