"""Recording what a person told staff about the mail they want."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms.fields.choices import SelectChoice

from crm.accounts.access import current_viewer, requires
from crm.accounts.looks import saw
from crm.alumni.access import load_alumnus, sees_contact
from crm.alumni.contacts import mask
from crm.alumni.models import Alumnus
from crm.alumni.queries import LARGEST_ID
from crm.consent import queries, service, word
from crm.consent.forms import EVERYTHING, CloseForm, PauseForm, WordForm
from crm.consent.models import ConsentEntry, ConsentState, Suppression
from crm.consent.queries import topics
from crm.consent.references import reference_words
from crm.consent.words import SOURCES, STATES, SUPPRESSIONS, topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission
from crm.web.forms import Form
from crm.web.paging import keyset

bp = Blueprint("consent", __name__)
F = TypeVar("F", WordForm, PauseForm)


def word_form() -> WordForm:
    """The form with the topics there are."""
    # Other forms stand on the same page, so the names of this one begin with its own word.
    return with_topics(WordForm(prefix="word-"), _("Everything"))


def with_topics(form: F, everything: str) -> F:
    """The form with all of them and each topic to choose from."""
    offered = [(EVERYTHING, everything), *((t.key, topic_name(t)) for t in topics(db.session()))]
    form.topic.choices = [SelectChoice(key, label) for key, label in offered]
    return form


@bp.post("/people/<int:alumnus_id>/consent")
@requires(Permission.PEOPLE_EDIT)
def record(alumnus_id: int) -> Response:
    """Record a choice on the person's word."""
    if alumnus_id > LARGEST_ID:
        raise NotFound("There is no such person.")
    person = load_alumnus(db.session(), current_viewer(), alumnus_id)
    form = word_form()
    if not form.validate():
        raise Invalid(" ".join(error for errors in form.errors.values() for error in errors))
    news = service.record_word(
        db.session(), person.id, by=current_viewer(), at=clock.now(),
        topic_key=None if form.topic.data == EVERYTHING else form.topic.data,
        state=ConsentState(form.state.data), wording=form.wording.data,
    )  # fmt: skip
    db.session.commit()
    flash(_("Recorded.") if news else _("That was recorded before; nothing changed."))
    return redirect(f"/people/{person.id}", 303)


@bp.get("/people/<int:alumnus_id>/consent")
@requires(Permission.CONTACT_VIEW)
def ledger(alumnus_id: int) -> Any:
    """Every choice of a person with source, wording, time and reference; their closed addresses."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    return show_ledger(person)


def show_ledger(person: Alumnus) -> Any:
    """The page of a person's ledger."""
    session, viewer = db.session(), current_viewer()
    page = keyset(
        session, queries.ledger(person.id), [ConsentEntry.id], after=request.args.get("after"),
        descending=True,
    )  # fmt: skip
    edits = viewer.may(Permission.PEOPLE_EDIT)
    pause_form = with_topics(PauseForm.of(person), _("All mail"))
    held = queries.suppressions_held(session, person.id)
    shown = sees_contact(session, viewer, person.id)
    if shown:
        saw("consent", [person.id])
    return render_template(
        "crm/consent/ledger.html", person=person, page=page, sources=SOURCES, states=STATES,
        said=reference_words(session, {row.ConsentEntry.reference for row in page.items}),
        held=held, why_closed=SUPPRESSIONS, staff=staff_of(session, held),
        shown=shown, mask=mask,
        form=word_form() if edits else None,
        pause=pause_form if edits else None,
        close=close_form(person) if edits else None,
    )  # fmt: skip


def staff_of(session: Session, held: Sequence[Suppression]) -> dict[str, str]:
    """Who closed an address and why, by the source that is kept with it."""
    names = reference_words(session, {row.source.partition(" ")[0] for row in held})
    told = {}
    for row in held:
        who, _sep, why = row.source.partition(" ")
        if who in names:
            told[row.source] = ": ".join(filter(None, (names[who].text, why)))
    return told


def close_form(person: Alumnus) -> CloseForm | None:
    """The form with the mail addresses of a person that are still open; None without any."""
    form = CloseForm(prefix="close-")
    session, viewer = db.session(), current_viewer()
    seen = sees_contact(session, viewer, person.id)
    found = queries.open_addresses(session, person.id)
    form.address.choices = [SelectChoice(p.key, p.value if seen else mask(p.value)) for p in found]
    return form if found else None


@bp.post("/people/<int:alumnus_id>/consent/pause")
@requires(Permission.PEOPLE_EDIT)
def pause(alumnus_id: int) -> Response:
    """Pause all mail to a person or one topic, or end the pause, on their word."""
    person = load_alumnus(db.session(), current_viewer(), alumnus_id)
    form = with_topics(PauseForm(prefix="pause-"), _("All mail"))
    _valid(form)
    at = clock.now()
    done = word.pause_on_word(
        db.session(), person.id, until=form.last_day(person, at=at), wording=form.wording.data,
        topic_key=form.topic_key, by=current_viewer(), at=at,
    )  # fmt: skip
    return _back(person, done)


@bp.post("/people/<int:alumnus_id>/consent/close")
@requires(Permission.PEOPLE_EDIT)
def close(alumnus_id: int) -> Response:
    """Never mail an address of a person again."""
    person = load_alumnus(db.session(), current_viewer(), alumnus_id)
    form = close_form(person)
    if form is None:
        raise Invalid(_("There is no address that could be closed."))
    _valid(form)
    done = word.close_address(
        db.session(), person.id, form.address.data, reason=form.reason.data,
        by=current_viewer(), at=clock.now(),
    )  # fmt: skip
    return _back(person, done)


def _valid(form: Form) -> None:
    if not form.validate():
        raise Invalid(" ".join(error for errors in form.errors.values() for error in errors))


def _back(person: Alumnus, news: bool) -> Response:
    db.session.commit()
    flash(_("Recorded.") if news else _("That was recorded before; nothing changed."))
    return redirect(f"/people/{person.id}/consent", 303)
