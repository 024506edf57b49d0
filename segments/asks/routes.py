"""The alumnus's answer page behind a mailed link, and the school's word on what came of a visit."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, public, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission
from crm.links.pages import chosen_language, handed, opened
from crm.web.i18n import page_language
from segments.asks import openly, page
from segments.asks.afterwards import confirm_attendance, thank_by_hand
from segments.asks.answers import accept, decline, keep_in_mind
from segments.asks.calendars import calendar_file
from segments.asks.forms import AttendanceForm
from segments.asks.models import Ask, CommitmentState
from segments.asks.queries import commitment_of, load_ask, load_commitment
from segments.asks.resting import limit_asks
from segments.requests.access import load_request

bp = Blueprint("asks", __name__)


def _asked(token: str) -> Ask:
    """The ask behind the link of this request."""
    link = opened(token, "ask")
    mine = {link.alumnus.id, link.claim.alumnus_id}
    return load_ask(db.session(), link.claim.subject, mine)


@bp.get("/ask/<token>")
@public
def show(token: str) -> Any:
    """What is asked, and the buttons to answer it; looking changes nothing."""
    ask = _asked(token)
    if ask.request_id is None:
        values = openly.values(db.session(), ask, at=clock.now())
        return render_template("segments/asks/ask_openly.html", token=token, ask=ask, **values)
    values = page.values(db.session(), ask, page_language(), at=clock.now())
    return render_template("segments/asks/ask.html", token=token, ask=ask, **values)


@bp.post("/ask/<token>")
@public
def answer(token: str) -> Any:
    """Act on the button that was pressed."""
    ask, at = _asked(token), clock.now()
    word, _separator, detail = request.form.get("answer", "").partition(":")
    if word == "often":
        limit_asks(db.session(), ask.alumnus_id, detail)
        flash(_("Noted. We ask you no more often than that."))
    elif ask.request_id is None and word != "keep":
        openly.answer(db.session(), ask, word=word, season=detail, at=at)
        flash(_("Thank you for telling us."))
    elif word == "yes":
        outcome = accept(db.session(), ask, date_id=page.number(detail), at=at)
        flash(*page.said(outcome))
    elif word == "keep":
        keep_in_mind(db.session(), ask, at=at)
        flash(_("Thank you. We will think of you the next time."))
    else:
        decline(db.session(), ask, how=word, season=detail, at=at)
        flash(_("Thank you for telling us."))
    db.session.commit()
    return redirect(url_for("asks.show", token=token, **chosen_language()), 303)


@bp.get("/ask/<token>/visit.ics")
@public
def calendar(token: str) -> Response:
    """The promise as a calendar file."""
    ask, language = _asked(token), page_language()
    promised = commitment_of(db.session(), ask.id)
    if promised is None or promised.state is not CommitmentState.PLANNED:
        raise NotFound(_("There is no date to keep."))
    file = calendar_file(
        db.session(), promised, language=language, at=clock.now(), for_school=False
    )
    return handed(file)


@bp.get("/commitments/<int:commitment_id>/visit.ics")
@requires(Permission.REQUESTS_VIEW)
def school_calendar(commitment_id: int) -> Response:
    """The same file for the school."""
    promised = load_commitment(db.session(), current_viewer(), commitment_id)
    language = page_language()
    file = calendar_file(db.session(), promised, language=language, at=clock.now(), for_school=True)
    return handed(file)


@bp.post("/commitments/<int:commitment_id>/attendance")
@requires(Permission.REQUESTS_CREATE)
def attendance(commitment_id: int) -> Any:
    """Note what came of a visit; the alumnus is thanked."""
    viewer, form = current_viewer(), AttendanceForm()
    promised = load_commitment(db.session(), viewer, commitment_id)
    if not form.validate():
        raise Invalid(_("Give the hours and pupils as numbers."), field="hours")
    confirm_attendance(
        db.session(), promised, attended=form.attended.data == "yes", hours=form.hours.data,
        pupils=form.pupils.data, feedback=form.feedback.data or "", by=viewer, at=clock.now(),
    )  # fmt: skip
    db.session.commit()
    flash(
        _("Noted. Thank you.") if form.attended.data == "no" else _("Noted, and they are thanked.")
    )
    return redirect(url_for("requests.detail", request_id=promised.request_id), 303)


@bp.post("/requests/<int:request_id>/thanked")
@requires(Permission.REQUESTS_CREATE)
def thanked(request_id: int) -> Any:
    """Note that whoever came was thanked in another way than by our letter."""
    viewer = current_viewer()
    found = load_request(db.session(), viewer, request_id, lock=True)
    thank_by_hand(db.session(), found, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("Noted. Thank you."))
    return redirect(url_for("requests.detail", request_id=request_id), 303)
