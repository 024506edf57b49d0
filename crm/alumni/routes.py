"""The list of people and one person's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, reads, requires
from crm.accounts.looks import saw
from crm.alumni import people, service
from crm.alumni.access import load_alumnus, sees_contact
from crm.alumni.blocks import blocks_of
from crm.alumni.forms import ContactForm, profile_form
from crm.alumni.models import Alumnus, InterestKind
from crm.alumni.queries import survivor
from crm.alumni.search import help_lines, help_rows, search
from crm.alumni.words import CONTACT_KINDS, CONTACT_STATUSES, OWNERS, SCHOOLING_STATUSES
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid, NotFound
from crm.core.extend import QueryContext
from crm.core.viewer import Permission, Viewer
from crm.query import QueryError, compile_query, count_up_to
from crm.web.i18n import CONTENT_LANGUAGES

bp = Blueprint("people", __name__, url_prefix="/people")


@bp.get("")
@reads
@requires(Permission.PEOPLE_VIEW)
def index() -> tuple[str, int]:
    """The people whom a query means; only the table for a script that asks while one types."""
    text = request.args.get("q", "")
    after = request.args.get("after")
    found = search(db.session(), current_viewer(), text, after=after, at=clock.now())
    if request.headers.get("X-Fragment"):
        return render_template("crm/alumni/_results.html", found=found), 200
    page = render_template(
        "crm/alumni/index.html", found=found, help_lines=help_lines, help_rows=help_rows
    )
    return page, 422 if found.error else 200


@bp.get("/count")
@reads
@requires(Permission.PEOPLE_VIEW)
def count() -> tuple[dict[str, Any], int]:
    """How many people a query means, up to 10,000, as JSON; or `error` with its place."""
    session = db.session()
    context = QueryContext(session, current_viewer(), clock.now())
    try:
        found, more = count_up_to(session, compile_query(request.args.get("q", ""), context))
    except QueryError as error:
        status = 200 if request.headers.get("X-Fragment") else 422
        place = {"position": error.position, "length": error.length}
        return {"error": str(error), **place, "suggestion": error.suggestion}, status
    return {"count": found, "more": more, "text": count_text(found, more)}, 200


def count_text(found: int, more: bool) -> str:
    """How many people, in words."""
    if more:
        return str(_("more than %(count)s people", count=f"{found:,}"))
    return str(_("1 person") if found == 1 else _("%(count)s people", count=f"{found:,}"))


@bp.get("/<int:alumnus_id>")
@requires(Permission.PEOPLE_VIEW)
def detail(alumnus_id: int) -> Any:
    """One person: who they are, how to reach them, and what every area knows of them.

    The address of a record that became part of another leads to that one.
    """
    session, viewer, at = db.session(), current_viewer(), clock.now()
    try:
        person = load_alumnus(session, viewer, alumnus_id)
    except NotFound:
        stays = survivor(session, alumnus_id)
        if stays is None or stays == alumnus_id:
            raise
        person = load_alumnus(session, viewer, stays)
        return redirect(url_for("people.detail", alumnus_id=person.id))
    facts = _facts(viewer, person, at)
    if facts["contacts"]:
        saw("person", [person.id])
    return render_template("crm/alumni/detail.html", **facts)


def _facts(viewer: Viewer, person: Alumnus, at: datetime) -> dict[str, Any]:
    """What the page of a person shows to this viewer."""
    session = db.session()
    seen = sees_contact(session, viewer, person.id)
    edits = viewer.may(Permission.PEOPLE_EDIT)
    return {
        "person": person,
        "schoolings": people.schoolings_of(session, person.id),
        "contacts": people.contacts_of(session, person.id) if seen else None,
        "contact_form": ContactForm(formdata=None) if seen and edits else None,
        "ways": people.interests_of(session, person.id, InterestKind.WAY),
        "subjects": people.interests_of(session, person.id, InterestKind.SUBJECT),
        "external_ids": people.external_ids_of(session, person.id) if edits else [],
        "blocks": blocks_of(viewer, person, at),
        "edits": edits,
        "content_languages": CONTENT_LANGUAGES,
        "contact_kinds": CONTACT_KINDS,
        "contact_statuses": CONTACT_STATUSES,
        "owners": OWNERS,
        "schooling_statuses": SCHOOLING_STATUSES,
    }


@bp.route("/<int:alumnus_id>/edit", methods=["GET", "POST"])
@requires(Permission.PEOPLE_EDIT)
def edit(alumnus_id: int) -> Any:
    """Change a person's profile, ways and subjects."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    form = profile_form(session, person)
    if form.validate_on_submit():
        try:
            service.edit_person(
                session, person, form.changes(), ways=form.ways.data, subjects=form.subjects.data,
                seen=_moment(form.seen.data), by=viewer, at=clock.now(),
            )  # fmt: skip
            session.commit()
            flash(_("Saved."))
            return redirect(url_for("people.detail", alumnus_id=person.id), 303)
        except Invalid as error:
            session.rollback()
            _show_fault(form, error)
    page = render_template("crm/alumni/edit.html", form=form, person=person)
    return page, 422 if form.errors else 200


def _moment(text: str | None) -> datetime:
    """When the record that was edited had last been changed."""
    try:
        return datetime.fromisoformat(text or "")
    except ValueError as error:
        raise Invalid(_("Open the form again: it was damaged on the way.")) from error


def _show_fault(form: Any, error: Invalid) -> None:
    """Put a refusal of the service beside the field it names."""
    known = error.field if error.field in form else None
    if known:
        form[known].errors = [*form[known].errors, str(error)]
    else:
        form.form_errors.append(str(error))


@bp.post("/<int:alumnus_id>/contacts")
@requires(Permission.PEOPLE_EDIT)
def add_contact(alumnus_id: int) -> Any:
    """Add an address, or mark one that is there as working and whose it is."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    form = ContactForm()
    if not form.validate():
        raise Invalid(" ".join(e for errors in form.errors.values() for e in errors))
    service.add_contact(
        session, person, form.kind.data, form.value.data, owner=form.owner.data,
        preferred=form.preferred.data, by=viewer, at=clock.now(),
    )  # fmt: skip
    session.commit()
    flash(_("The address is saved."))
    return redirect(url_for("people.detail", alumnus_id=person.id), 303)


@bp.post("/<int:alumnus_id>/contacts/<int:point_id>/retire")
@requires(Permission.PEOPLE_EDIT)
def retire_contact(alumnus_id: int, point_id: int) -> Any:
    """Stop using an address; it stays known, so that an import does not bring it back."""
    session, viewer = db.session(), current_viewer()
    person = load_alumnus(session, viewer, alumnus_id)
    service.retire_contact(session, person, point_id, by=viewer, at=clock.now())
    session.commit()
    flash(_("The address is no longer used."))
    return redirect(url_for("people.detail", alumnus_id=person.id), 303)
