"""The door: a list for a phone, one tap for each person, and the code of a ticket."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext, refresh
from flask_login import current_user
from sqlalchemy.orm import Session

from crm.accounts.access import current_viewer, public, requires
from crm.alumni.access import load_alumnus
from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission
from crm.events import door, queries
from crm.events.access import event_of_id, load_event
from crm.events.forms import DoorForm
from crm.events.models import Event, Invitation
from crm.links.tokens import LinkExpired, LinkInvalid, open_link

bp = Blueprint("door", __name__)


@bp.get("/events/<key>/door")
@requires(Permission.EVENTS_DOOR)
def show(key: str) -> str:
    """Who is coming and who is there, found by name; others of the name may walk in."""
    session, viewer = db.session(), current_viewer()
    event, name = load_event(session, viewer, key), request.args.get("q", "")
    group = "came" if request.args.get("group") == "came" else "missed"
    page = queries.people_page(
        session, event, viewer, group="door" if name.strip() else group, name=name,
        after=request.args.get("after"),
    )  # fmt: skip
    return render_template(
        "crm/events/door.html", event=event, page=page, name=name, group=group,
        others=door.others(session, event, viewer, name),
        figures=queries.figures_of_one(session, event),
    )  # fmt: skip


@bp.get("/events/<key>/door/counts")
@requires(Permission.EVENTS_DOOR)
def counts(key: str) -> str:
    """How many are there, for the page to fetch anew."""
    event = load_event(db.session(), current_viewer(), key)
    figures = queries.figures_of_one(db.session(), event)
    return render_template("crm/events/_counts.html", event=event, figures=figures)


@bp.post("/events/<key>/door/<int:alumnus_id>")
@requires(Permission.EVENTS_DOOR)
def check_in(key: str, alumnus_id: int) -> Any:
    """Note that somebody is there."""
    session, viewer = db.session(), current_viewer()
    event = load_event(session, viewer, key)
    person, form = load_alumnus(session, viewer, alumnus_id), DoorForm()
    if not form.validate():
        raise Invalid(_("Write how many guests came along as a number."))
    new = door.check_in(
        session, event, person.id, guests=form.guests.data, by=viewer, at=clock.now()
    )
    session.commit()
    flash(
        _("%(name)s is checked in.", name=person.full_name)
        if new
        else _("%(name)s was checked in before.", name=person.full_name),
        "message" if new else "info",
    )
    return _back(key)


@bp.post("/events/<key>/door/<int:alumnus_id>/undo")
@requires(Permission.EVENTS_DOOR)
def undo(key: str, alumnus_id: int) -> Any:
    """Take a check-in back."""
    session, viewer = db.session(), current_viewer()
    event = load_event(session, viewer, key)
    person = load_alumnus(session, viewer, alumnus_id)
    door.undo(session, event, person.id, by=viewer, at=clock.now())
    session.commit()
    flash(_("Taken back: %(name)s is not checked in.", name=person.full_name), "info")
    return _back(key)


def _back(key: str) -> Any:
    """To the door, where one was."""
    group = "came" if request.form.get("group") == "came" else None
    return redirect(url_for("door.show", key=key, group=group), 303)


@bp.get("/check-in/<token>")
@public
def ticket(token: str) -> Any:
    """What the code of a ticket leads to: for staff at the door, whose it is and one button.

    Anybody else learns nothing from it, not even whether the code is a real one.
    """
    g.link_page = True
    known = current_user.is_authenticated
    if not known or not current_viewer().may(Permission.EVENTS_DOOR):
        return render_template("crm/events/ticket_only.html", signed_in=known)
    g.staff_page = True
    refresh()  # type: ignore[no-untyped-call]
    session = db.session()
    try:
        event, person, mine = _ticket(session, token)
    except (LinkInvalid, LinkExpired, NotFound):
        return render_template("crm/events/ticket_unknown.html"), 404
    form = DoorForm(guests=mine.guests)
    return render_template(
        "crm/events/ticket.html", event=event, person=person, mine=mine, form=form,
        early=clock.now() < event.starts_at - door.EARLIEST,
    )  # fmt: skip


def _ticket(session: Session, token: str) -> tuple[Event, Alumnus, Invitation]:
    """The event, the person and the place that a ticket is for, within the viewer's wall."""
    link = open_link(session, token, "check-in", at=clock.now())
    event = event_of_id(session, current_viewer(), link.claim.subject or 0)
    person = load_alumnus(session, current_viewer(), link.alumnus.id)
    mine = queries.invitation_of(session, event.id, {link.alumnus.id, link.claim.alumnus_id})
    if mine is None:
        raise NotFound("There is no such ticket.")
    return event, person, mine


@bp.context_processor
def sentences() -> dict[str, Any]:
    """How a party is said."""
    return {
        "party": lambda n: ngettext("with %(num)s guest", "with %(num)s guests", n) if n else ""
    }
