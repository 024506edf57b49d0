"""The pages behind mailed links: a person's own page, a new address, leaving."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import public
from crm.consent.models import ConsentSource
from crm.consent.words import topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.extend import extensions
from crm.links.pages import chosen_language, opened
from crm.links.service import mail_fresh_link, mask, revoke_links
from crm.links.tokens import Opened, claim_of_old, open_old
from crm.portal import addresses, queries, service
from crm.portal.forms import AddressCodeForm, NewAddressForm, ProfileForm, profile_form
from crm.portal.wishes import Wish, seal, unseal
from crm.web.wiring import csrf

bp = Blueprint("portal", __name__)
ONE_CLICK = ("List-Unsubscribe", "One-Click")


@bp.get("/me/<token>")
@public
def profile(token: str) -> Any:
    """What we hold of somebody, for themselves."""
    return show(token, opened(token, "profile"))


@bp.post("/me/<token>")
@public
def save(token: str) -> Any:
    """Correct what we hold, and choose."""
    link, at = opened(token, "profile"), clock.now()
    form = filled(link)
    if link.alumnus.deceased or not form.validate():
        return show(token, link, form=form)
    wish = form.wish(link.alumnus, at=at)
    try:
        saved = service.save(db.session(), link.alumnus, wish, claim=link.claim, at=at)
    except Invalid as error:
        db.session.rollback()
        form.show(error)
        return show(token, opened(token, "profile"), form=form)
    db.session.commit()
    return thanks(token, link, saved.changed, saved.before)


@bp.post("/me/<token>/undo")
@public
def undo(token: str) -> Any:
    """Take back what was just saved."""
    link, at = opened(token, "profile"), clock.now()
    before = unseal(request.form.get("before", ""), alumnus_id=link.alumnus.id, at=at)
    service.save(db.session(), link.alumnus, before, claim=link.claim, at=at)
    db.session.commit()
    return redirect(url_for("portal.profile", token=token, **chosen_language()), 303)


@bp.post("/me/<token>/leave")
@public
def leave(token: str) -> Any:
    """Stop all mail."""
    link, at = opened(token, "profile"), clock.now()
    before = service.leave(db.session(), link.alumnus.id, None, claim=link.claim, at=at)
    db.session.commit()
    return thanks(token, link, frozenset({"left"}), before)


@bp.post("/me/<token>/revoke")
@public
def revoke(token: str) -> Any:
    """Make all old links worthless, and mail a fresh one to the address of this one."""
    link, at = opened(token, "profile"), clock.now()
    client = request.remote_addr or "unknown"
    revoke_links(db.session(), link.alumnus, by=None, at=at)
    mail_fresh_link(db.session(), link.claim, client=client, at=at)
    db.session.commit()
    return render_template("crm/links/fresh.html")


@bp.route("/me/<token>/address", methods=["GET", "POST"])
@public
def address(token: str) -> Any:
    """Ask for a code to a new mail address."""
    link, form, at = opened(token, "profile"), NewAddressForm(), clock.now()
    stale = addresses.needs_fresh_link(link.claim, at=at) or link.alumnus.deceased
    if not stale and form.validate_on_submit():
        client = request.remote_addr or "unknown"
        try:
            addresses.ask_to_confirm(
                db.session(), link.alumnus, form.email.data, client=client, at=at
            )
            db.session.commit()
            onward = url_for("portal.address_code", token=token, **chosen_language())
            return redirect(onward, 303)
        except Invalid as error:
            db.session.rollback()
            form.email.errors = [str(error)]
    return render_template("crm/portal/address.html", token=token, form=form, stale=stale)


@bp.route("/me/<token>/address/code", methods=["GET", "POST"])
@public
def address_code(token: str) -> Any:
    """Take the code that went to the new address."""
    link, form, at = opened(token, "profile"), AddressCodeForm(), clock.now()
    if form.validate_on_submit():
        point = addresses.confirm(
            db.session(), link.alumnus, form.code.data, claim=link.claim, at=at
        )
        db.session.commit()
        if point is not None:
            shown = mask(point.value)
            return render_template("crm/portal/address_done.html", token=token, address=shown)
        form.code.errors = [_("This code is wrong, or too old.")]
    asked = addresses.waiting(db.session(), link.alumnus.id, at=at)
    shown = mask(asked.value) if asked else ""
    return render_template("crm/portal/address_code.html", token=token, form=form, address=shown)


@bp.get("/unsubscribe/<token>")
@public
def leaving(token: str) -> Any:
    """What to stop; nothing has happened yet."""
    return show_leaving(token, opened(token, "unsubscribe"))


@bp.post("/unsubscribe/<token>")
@csrf.exempt  # type: ignore[untyped-decorator]
@public
def unsubscribe(token: str) -> Any:
    """Stop a topic or everything: by button, or by a mail program (RFC 8058) with no cookie."""
    name, value = ONE_CLICK
    if request.form.get(name) == value:
        return one_click(token)
    if current_app.config["WTF_CSRF_ENABLED"]:
        csrf.protect()
    link, at = opened(token, "unsubscribe"), clock.now()
    session, person = db.session(), link.alumnus.id
    before: Wish | None = None
    if request.form.get("choice") == "undo":
        wish = unseal(request.form.get("before", ""), alumnus_id=person, at=at)
        service.choose_topics(session, person, wish.topics or (), claim=link.claim, at=at)
    elif request.form.get("choice") in {"topic", "all"}:
        topic = queries.topic_of(session, link.claim.message_id)
        key = topic.key if topic and request.form["choice"] == "topic" else None
        before = service.leave(session, person, key, claim=link.claim, at=at)
    session.commit()
    return show_leaving(token, link, before=before)


def one_click(token: str) -> Response:
    """Stop the topic of the message at once. Also for a link that was revoked: it only tightens."""
    link, at = open_old(db.session(), claim_of_old(token, "unsubscribe")), clock.now()
    topic = queries.topic_of(db.session(), link.claim.message_id)
    service.leave(
        db.session(), link.alumnus.id, topic.key if topic else None, claim=link.claim, at=at,
        source=ConsentSource.ONE_CLICK,
    )  # fmt: skip
    db.session.commit()
    return Response("You are unsubscribed.\n", mimetype="text/plain")


def filled(link: Opened) -> ProfileForm:
    """The form of a person's page."""
    mine = queries.held(db.session(), link.alumnus, at=clock.now())
    return profile_form(link.alumnus, mine, queries.choices(db.session(), mine))


def show(token: str, link: Opened, *, form: ProfileForm | None = None) -> str:
    """A person's own page."""
    if link.alumnus.deceased:
        return render_template("crm/portal/deceased.html")
    registry, session = extensions(), db.session()
    panels = registry.panels(
        registry.profile_panels, session, link.alumnus, link.claim, clock.now()
    )
    return render_template(
        "crm/portal/profile.html", token=token, alumnus=link.alumnus, panels=panels,
        form=form or filled(link), mine=queries.held(session, link.alumnus, at=clock.now()),
    )  # fmt: skip


def thanks(token: str, link: Opened, changed: frozenset[str], before: Wish) -> str:
    """What changed, with the way back.

    Shown by the POST itself: the way back is in the page and nowhere else, and a reload changes
    nothing more.
    """
    sealed = seal(before, alumnus_id=link.alumnus.id, at=clock.now())
    return render_template(
        "crm/portal/thanks.html", token=token, alumnus=link.alumnus, changed=changed,
        before=sealed, form=filled(link),
    )  # fmt: skip


def show_leaving(token: str, link: Opened, *, before: Wish | None = None) -> str:
    """The page to leave by."""
    session = db.session()
    mine = queries.held(session, link.alumnus, at=clock.now())
    topic = queries.topic_of(session, link.claim.message_id)
    at = clock.now()
    return render_template(
        "crm/portal/unsubscribe.html", token=token, topic=topic, mine=mine,
        label=topic_name(topic) if topic else "",
        before=seal(before, alumnus_id=link.alumnus.id, at=at) if before else "",
    )  # fmt: skip
