"""The pages of events for staff: the list, planning, inviting, who is coming, what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask import stream_with_context as streamed
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.events import inviting, page, queries, report, service
from crm.events.access import load_event
from crm.events.answers import takes_yes
from crm.events.forms import EventForm, InviteForm, form_values
from crm.events.models import Event
from crm.events.queries import Figures
from crm.events.words import ANSWERS, KINDS, STATES, when_words, where_words
from crm.mail.reasons import sentence
from crm.query import QueryError

bp = Blueprint("events", __name__, url_prefix="/events")


@bp.context_processor
def words() -> dict[str, Any]:
    """What every page of events says."""
    return {
        "event_kinds": KINDS, "event_states": STATES, "event_answers": ANSWERS,
        "event_when": lambda event: when_words(event, str(get_locale() or "en")),
        "event_where": where_words, "reason_sentence": sentence,
    }  # fmt: skip


@bp.get("")
@requires(Permission.EVENTS_VIEW)
def index() -> str:
    """What is to come, or what is over, each with how it stands."""
    past = request.args.get("when") == "past"
    after = request.args.get("after")
    found = queries.events_page(
        db.session(), current_viewer(), past=past, at=clock.now(), after=after
    )
    figures = queries.figures_of(db.session(), [row.Event.id for row in found.items])
    return render_template(
        "crm/events/index.html", page=found, past=past, figures=figures, nobody=Figures()
    )


@bp.route("/new", methods=["GET", "POST"])
@requires(Permission.EVENTS_EDIT)
def new() -> Any:
    """Plan an event."""
    return _planned(EventForm(), None, _("Kept as a draft. Open it when it may be answered."))


@bp.route("/<key>/edit", methods=["GET", "POST"])
@requires(Permission.EVENTS_EDIT)
def edit(key: str) -> Any:
    """Change an event."""
    event = load_event(db.session(), current_viewer(), key, lock=request.method == "POST")
    return _planned(EventForm(data=form_values(event)), event, _("Saved."))


def _planned(form: EventForm, event: Event | None, done: str) -> Any:
    """The form of a new event or of one that is there, until what it says can be kept."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    form.offer(session, viewer, event)
    if form.validate_on_submit():
        try:
            if event is None:
                kept = service.create(session, form.plan(None), by=viewer, at=at)
            else:
                service.edit(session, kept := event, form.plan(event), by=viewer, at=at)
        except Invalid as error:
            session.rollback()
            form.place_error(error)
        else:
            session.commit()
            flash(done)
            return _page_of(kept.key)
    shown = render_template("crm/events/edit.html", form=form, event=event)
    return shown, 422 if form.errors else 200


def _page_of(key: str) -> Any:
    return redirect(url_for("events.detail", key=key), 303)


@bp.get("/<key>")
@requires(Permission.EVENTS_VIEW)
def detail(key: str) -> str:
    """One event: what it is, what is to do next, how people answered."""
    session, at = db.session(), clock.now()
    event = load_event(session, current_viewer(), key)
    figures, mail = queries.figures_of_one(session, event), queries.mail_report(session, event)
    return render_template(
        "crm/events/detail.html", event=event, figures=figures, mail=mail, at=at,
        place_for=queries.place_name(session, event), may_answer=takes_yes(event, at),
        begun=event.starts_at <= at, answers=report.answers_chart(figures),
        mailed=report.mail_chart(mail), about=page.about(event.text(_language())),
        text=event.text(_language()),
    )  # fmt: skip


def _language() -> str:
    return str(get_locale() or "en")


VERBS: dict[str, tuple[Callable[..., Any], Callable[[Any], str]]] = {
    "open": (service.open_event, lambda done: _("Open: people may answer now.")),
    "close": (service.close, lambda done: _("Closed: no new yes is taken.")),
    "cancel": (
        service.cancel,
        lambda done: ngettext(
            "Called off. %(num)s person is told.", "Called off. %(num)s people are told.", done
        ),
    ),
    "tell": (
        service.tell,
        lambda done: ngettext("%(num)s person is told.", "%(num)s people are told.", done),
    ),
    "hold": (service.hold, lambda done: _("Marked as held.")),
    "thank": (
        service.thank,
        lambda done: ngettext("%(num)s person is thanked.", "%(num)s people are thanked.", done),
    ),
}
"""What one button of the event's page does, and what is said then."""


@bp.post("/<key>/state")
@requires(Permission.EVENTS_EDIT)
def move(key: str) -> Any:
    """Open, close, call off, mark as held, tell or thank."""
    event = load_event(db.session(), current_viewer(), key, lock=True)
    verb = VERBS.get(request.form.get("verb", ""))
    if verb is None:
        raise Invalid(_("Press one of the buttons."))
    done = verb[0](db.session(), event, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(verb[1](done))
    return _page_of(key)


@bp.get("/<key>/invite")
@requires(Permission.EVENTS_EDIT)
def audience(key: str) -> Any:
    """Choose whom to invite, and see how many and who, before anything goes out."""
    session, at = db.session(), clock.now()
    event = load_event(session, current_viewer(), key)
    form = InviteForm(formdata=None, query=request.args.get("query", event.query))
    return _audience(event, form, found=_preview(event, form, at), at=at)


def _preview(event: Event, form: InviteForm, at: Any) -> inviting.Preview | None:
    if not (form.query.data or "").strip():
        return None
    try:
        return inviting.preview(db.session(), event, form.query.data, by=current_viewer(), at=at)
    except QueryError as error:
        form.query.errors = [str(error)]
        return None


def _audience(event: Event, form: InviteForm, *, found: Any, at: Any) -> Any:
    shown = render_template(
        "crm/events/invite.html", event=event, form=form, found=found,
        ready=takes_yes(event, at),
    )  # fmt: skip
    return shown, 422 if form.query.errors else 200


@bp.post("/<key>/invite")
@requires(Permission.EVENTS_EDIT)
def invite(key: str) -> Any:
    """Invite them."""
    session, at = db.session(), clock.now()
    event = load_event(session, current_viewer(), key, lock=True)
    form = InviteForm()
    if not form.validate():
        return _audience(event, form, found=None, at=at)
    try:
        done = inviting.invite(session, event, form.query.data, by=current_viewer(), at=at)
    except QueryError as error:
        session.rollback()
        form.query.errors = [str(error)]
        return _audience(load_event(session, current_viewer(), key), form, found=None, at=at)
    session.commit()
    flash(
        ngettext("%(num)s person is invited.", "%(num)s people are invited.", done.new)
        + (" " + _("%(n)s were invited before.", n=done.already) if done.already else "")
    )
    return _page_of(key)


@bp.get("/<key>/people")
@requires(Permission.EVENTS_VIEW)
def people(key: str) -> str:
    """Who stands behind a figure."""
    group, name = request.args.get("group", ""), request.args.get("q", "")
    event = load_event(db.session(), current_viewer(), key)
    found = queries.people_page(
        db.session(), event, current_viewer(), group=group, name=name,
        after=request.args.get("after"),
    )  # fmt: skip
    return render_template(
        "crm/events/people.html", event=event, page=found, group=group, name=name
    )


@bp.get("/<key>/mail")
@requires(Permission.EVENTS_VIEW)
def mail(key: str) -> str:
    """What became of each invitation's message."""
    event = load_event(db.session(), current_viewer(), key)
    state, reason = request.args.get("state", ""), request.args.get("reason", "")
    found = queries.mailed(
        db.session(), event, current_viewer(), state=state, reason=reason,
        after=request.args.get("after"),
    )  # fmt: skip
    return render_template(
        "crm/events/mail.html", event=event, page=found, state=state, reason=reason
    )


@bp.get("/<key>/report")
@requires(Permission.EVENTS_VIEW)
def outcome(key: str) -> str:
    """What came of it: invited, answered, came, and of which classes."""
    session = db.session()
    event = load_event(session, current_viewer(), key)
    figures, mail = queries.figures_of_one(session, event), queries.mail_report(session, event)
    return render_template(
        "crm/events/report.html", event=event, figures=figures, mail=mail,
        answers=report.answers_chart(figures), mailed=report.mail_chart(mail),
        classes=report.classes_chart(session, event),
    )  # fmt: skip


@bp.post("/<key>/report.csv")
@requires(Permission.EXPORT)
def export(key: str) -> Response:
    """Everybody of the event as CSV; noted in the audit trail before a row leaves."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    event = load_event(session, viewer, key)
    report.note_export(session, event, viewer, at=at)
    session.commit()
    headers = {"Content-Disposition": f"attachment; filename={event.key}.csv"}
    return Response(
        streamed(report.stream(session, event, viewer)), mimetype="text/csv", headers=headers
    )
