"""The mentor's page behind a mailed link: one tap, and a line if they like."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import public
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.links.pages import chosen_language, opened
from crm.schools.models import School
from segments.mentoring.forms import WordForm
from segments.mentoring.models import MentorCheckin, MentorPair, PairState, Word
from segments.mentoring.queries import own_checkin
from segments.mentoring.routes import bp
from segments.mentoring.service import answer


def _asked(token: str) -> MentorCheckin:
    link = opened(token, "mentor")
    return own_checkin(
        db.session(), link.claim.subject, {link.alumnus.id, link.claim.alumnus_id}
    )  # fmt: skip


@bp.get("/mentor/<token>")
@public
def word(token: str) -> str:
    """How does it go? Looking changes nothing."""
    session, checkin = db.session(), _asked(token)
    pair = session.get_one(MentorPair, checkin.pair_id)
    return render_template(
        "segments/mentoring/word.html", token=token, checkin=checkin, pair=pair, form=WordForm(),
        school=session.get_one(School, pair.school_id), over=pair.state is not PairState.ACTIVE,
    )  # fmt: skip


@bp.post("/mentor/<token>")
@public
def say(token: str) -> Any:
    """Take the tap."""
    checkin, form = _asked(token), WordForm()
    said = request.form.get("answer", "")
    if said not in {word.value for word in Word} or not form.validate():
        raise Invalid(_("Choose one of the answers."), field="answer")
    answer(
        db.session(), checkin, Word(said), line=form.line.data or "", hours=form.hours.data or None,
        at=clock.now(),
    )  # fmt: skip
    db.session.commit()
    flash(_("Thank you for telling us."))
    return redirect(url_for("mentoring.word", token=token, **chosen_language()), 303)
