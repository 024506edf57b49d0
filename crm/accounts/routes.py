"""Pages for signing in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext as _
from flask_login import current_user

from crm.accounts import audit, factor, sessions, signin
from crm.accounts.access import current_viewer, entrance
from crm.accounts.forms import AddressForm, CodeForm
from crm.accounts.models import User
from crm.core import clock
from crm.core.database import db

bp = Blueprint("accounts", __name__)
MAX_TARGET = 2_000


def same_site(target: str | None) -> str:
    """The path to go on to after signing in: one of this site, or the home page."""
    if not target or len(target) > MAX_TARGET or not target.startswith("/"):
        return "/"
    # Browsers read a backslash as a slash and drop tabs and line ends: `/\t/evil.example`.
    if "\\" in target or any(c <= " " or c == "\x7f" for c in target) or target.startswith("//"):
        return "/"
    try:
        parts = urlsplit(target)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else target


@bp.route("/sign-in", methods=["GET", "POST"])
@entrance
def sign_in() -> Any:
    """Ask for a mail address, and mail a code to it if it is known."""
    if current_user.is_authenticated and request.method == "GET":
        return redirect(same_site(request.args.get("next")))
    form = AddressForm(next=same_site(request.args.get("next")))
    if not form.validate_on_submit():
        return render_template("crm/accounts/sign_in.html", form=form)
    browser = signin.new_browser()
    email, at = form.email.data, clock.now()
    signin.ask_for_code(db.session(), email, browser, client=client(), at=at)
    db.session.commit()
    cookie["sign_in"] = {"browser": browser, "email": email, "next": same_site(form.next.data)}
    return redirect(url_for("accounts.code"), 303)


@bp.route("/sign-in/code", methods=["GET", "POST"])
@entrance
def code() -> Any:
    """Take the code from the mail."""
    asked = cookie.get("sign_in")
    if not asked:
        return redirect(url_for("accounts.sign_in"))
    form = CodeForm()
    if form.validate_on_submit():
        at = clock.now()
        typed = form.code.data
        user = signin.enter_code(db.session(), asked["browser"], typed, client=client(), at=at)
        db.session.commit()
        if user is not None:
            return welcome(user, asked["next"], how="code")
        form.code.errors = [_("This code is wrong, or too old. Look at the newest mail.")]
    return render_template("crm/accounts/code.html", form=form, email=asked["email"])


@bp.get("/sign-in/link/<token>")
@entrance
def link(token: str) -> Any:
    """The page of a mailed link: one button, and nothing happens before it is pressed."""
    if signin.link_is_open(db.session(), token, at=clock.now()):
        return render_template("crm/accounts/link.html", token=token)
    if current_user.is_authenticated:
        return redirect("/")
    return render_template("crm/accounts/link_over.html"), 410


@bp.post("/sign-in/link/<token>")
@entrance
def use_link(token: str) -> Any:
    """Sign in by a mailed link."""
    user = signin.use_link(db.session(), token, at=clock.now())
    if user is None:
        db.session.rollback()
        return render_template("crm/accounts/link_over.html"), 410
    return welcome(user, "/", how="link")


@bp.post("/sign-out")
@entrance
def sign_out() -> Any:
    """End this session for good."""
    if current_user.is_authenticated:
        by = current_viewer()
        audit.record(
            db.session(), "user.signed_out", kind="user", key=by.user_id, by=by, at=clock.now()
        )
    sessions.sign_out(db.session(), at=clock.now())
    db.session.commit()
    flash(_("You are signed out."))
    return redirect(url_for("accounts.sign_in"), 303)


def welcome(user: User, target: str, *, how: str, factor_at: datetime | None = None) -> Any:
    """Begin a new session and go on; before that to the second factor, if there is one to give."""
    session, at, agent = db.session(), clock.now(), request.user_agent.string
    if factor_at is None and factor.confirmed(session, user.id):
        sessions.sign_half_in(session, user, at=at, agent=agent, target=same_site(target))
        session.commit()
        return redirect(url_for("accounts.enter_factor"), 303)
    signin.tell_of_new_device(session, user, agent=agent, at=at)
    sessions.sign_in(session, user, at=at, agent=agent, factor_at=factor_at)
    audit.record(
        session, "user.signed_in", kind="user", key=user.id, by=current_viewer(), at=at, how=how
    )
    session.commit()
    return redirect(same_site(target), 303)


def client() -> str:
    """Where a request comes from, for limits only; never stored but as a hash."""
    return request.remote_addr or "unknown"
