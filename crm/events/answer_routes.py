"""The page behind an invitation's link: what it is, and three buttons; looking changes nothing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import public
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.events import page, queries
from crm.events.answers import Reply, respond
from crm.events.calendars import calendar_file
from crm.events.forms import AnswerForm
from crm.events.letters import page_address
from crm.events.models import Answer, Event, Invitation
from crm.links.pages import chosen_language, handed, opened
from crm.links.tokens import Opened
from crm.web.i18n import page_language

bp = Blueprint("event", __name__)


def _invited(token: str) -> tuple[Opened, Event, Invitation]:
    """The person behind the link of this request, the event it is about, and their place there."""
    link = opened(token, "event")
    event = db.session.get(Event, link.claim.subject or 0)
    people = {link.alumnus.id, link.claim.alumnus_id}
    mine = queries.invitation_of(db.session(), event.id, people) if event else None
    if event is None or mine is None:
        raise NotFound(_("This invitation is no longer there."))
    return link, event, mine


@bp.get("/event/<token>")
@public
def show(token: str) -> Any:
    """What one is invited to, and how one answered."""
    link, event, mine = _invited(token)
    return _page(token, link, event, mine)


def _page(token: str, link: Opened, event: Event, mine: Invitation, form: Any = None) -> str:
    if form is None:
        form = AnswerForm(formdata=None, data=page.form_values(mine))
        form.offer(event.guests_allowed)
    values = page.values(db.session(), link, event, mine, page_language(), at=clock.now())
    return render_template("crm/events/answer.html", token=token, form=form, **values)


@bp.post("/event/<token>")
@public
def answer(token: str) -> Any:
    """Act on the button that was pressed."""
    link, event, mine = _invited(token)
    form = AnswerForm()
    form.offer(event.guests_allowed)
    word = request.form.get("answer", "")
    if word not in page.WORDS:
        raise Invalid(_("Press one of the buttons."))
    if not form.validate():
        return _page(token, link, event, mine, form), 422
    reply = Reply(word, form.guests.data or 0, form.guest_names.data or "", form.needs.data or "")
    outcome = respond(db.session(), mine.id, reply, at=clock.now())
    db.session.commit()
    flash(*page.said(outcome))
    return redirect(url_for("event.show", token=token, **chosen_language()), 303)


@bp.get("/event/<token>/event.ics")
@public
def calendar(token: str) -> Response:
    """The event as a calendar file, for who is coming."""
    link, event, mine = _invited(token)
    if mine.answer is not Answer.COMING:
        raise NotFound(_("There is no date to keep."))
    at = clock.now()
    file = calendar_file(
        event,
        mine.id,
        link=page_address(event, link.alumnus, at=at),
        language=page_language(),
        at=at,
    )
    return handed(file)
