"""Pages of the second factor: asked at sign-in and before sensitive pages, set up, given up."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from crm.accounts import audit, factor, queries, sessions
from crm.accounts.access import current_viewer, entrance, requires
from crm.accounts.forms import FactorForm, FirstCodeForm
from crm.accounts.routes import bp, same_site, welcome
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.web.words import district_name


@bp.route("/sign-in/factor", methods=["GET", "POST"])
@entrance
def enter_factor() -> Any:
    """Ask whoever proved their mail address for the second factor."""
    at = clock.now()
    user = sessions.half_signed_in(db.session(), at=at)
    if user is None:
        return redirect(url_for("accounts.sign_in"))
    form = FactorForm()
    if form.validate_on_submit():
        target = cookie["half"].get("next")
        right = factor.check(db.session(), user.id, form.code.data, at=at)
        if not right:
            audit.record(
                db.session(), "user.factor_refused", kind="user", key=user.id, by=None, at=at
            )
        db.session.commit()
        if right:
            return welcome(user, target, how="factor", factor_at=at)
        form.code.errors = [wrong_code()]
    return render_template("crm/accounts/factor_ask.html", form=form, here="accounts.enter_factor")


@bp.route("/settings/second-factor/confirm", methods=["GET", "POST"])
@requires(Permission.HOME)
def confirm_factor() -> Any:
    """Ask for the second factor again before a sensitive page."""
    target = same_site(request.args.get("next") or request.form.get("next"))
    at, form = clock.now(), FactorForm(next=target)
    if current_user.is_fresh(at):
        return redirect(target, 303)
    if form.validate_on_submit():
        right = factor.check(db.session(), current_user.user.id, form.code.data, at=at)
        if right:
            sessions.note_factor(db.session(), current_user.session_id, at=at)
        deed = "user.factor_confirmed" if right else "user.factor_refused"
        audit.record(
            db.session(), deed, kind="user", key=current_user.user.id, by=current_viewer(), at=at
        )
        db.session.commit()
        if right:
            return redirect(target, 303)
        form.code.errors = [wrong_code()]
    return render_template(
        "crm/accounts/factor_ask.html", form=form, here="accounts.confirm_factor", again=True
    )


@bp.get("/settings/second-factor")
@requires(Permission.HOME, enrolling=True)
def second_factor() -> Any:
    """Whether I have a second factor; the secret of one that waits for its first code."""
    return shown(FirstCodeForm(formdata=None))


def shown(form: FirstCodeForm) -> str:
    """The page in its state: none, waiting for the first code, or set up."""
    session, user = db.session(), current_user.user
    secret = factor.pending_secret(session, user.id)
    picture = None
    if secret:
        picture = Markup(factor.drawn(factor.enrolment_address(secret, user, district_name())))  # noqa: S704 - drawn by segno
    return render_template(
        "crm/accounts/factor.html", form=form, secret=secret, picture=picture,
        active=factor.confirmed(session, user.id), unused=factor.unused_codes(session, user.id),
    )  # fmt: skip


@bp.post("/settings/second-factor/begin")
@requires(Permission.HOME, enrolling=True)
def begin_factor() -> Any:
    """Make the secret that the app is to keep."""
    factor.begin(db.session(), current_user.user, by=current_viewer(), at=clock.now())
    db.session.commit()
    return redirect(url_for("accounts.second_factor"), 303)


@bp.post("/settings/second-factor")
@requires(Permission.HOME, enrolling=True)
def add_factor() -> Any:
    """Take the first code: from now on the factor counts. Shows the recovery codes, once."""
    session, at, form = db.session(), clock.now(), FirstCodeForm()
    if not form.validate_on_submit():
        return shown(form)
    try:
        codes = factor.confirm(
            session, current_user.user, form.code.data, by=current_viewer(), at=at
        )
    except Invalid as error:
        session.commit()
        form.code.errors = [str(error)]
        return shown(form)
    sessions.note_factor(session, current_user.session_id, at=at)
    session.commit()
    current_user.due_at = None
    return render_template("crm/accounts/recovery_codes.html", codes=codes, first=True)


@bp.post("/settings/second-factor/codes")
@requires(Permission.HOME, fresh=True)
def renew_codes() -> Any:
    """New recovery codes, shown once."""
    codes = factor.renew_codes(db.session(), current_user.user, by=current_viewer(), at=clock.now())
    db.session.commit()
    return render_template("crm/accounts/recovery_codes.html", codes=codes, first=False)


@bp.post("/settings/second-factor/remove")
@requires(Permission.HOME, fresh=True)
def remove_factor() -> Any:
    """Give up my factor, to set up another."""
    factor.remove(db.session(), current_user.user, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Your second factor is removed."))
    return redirect(url_for("accounts.second_factor"), 303)


@bp.post("/settings/users/<int:user_id>/reset-factor")
@requires(Permission.SETTINGS, fresh=True)
def reset_factor(user_id: int) -> Any:
    """Take away the factor of somebody who lost it."""
    account = queries.load_user(db.session(), user_id)
    factor.reset(db.session(), account, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("Their second factor is gone. They are signed out, and a mail tells them."))
    return redirect(url_for("accounts.user", user_id=user_id), 303)


def wrong_code() -> str:
    """What a wrong, used or late code is answered with."""
    return str(_("This code is wrong, too old or used already. Wait for the next one."))
