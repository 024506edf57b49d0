"""Pages of signing in by the district's identity provider: there, back, and the button."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask_babel import gettext as _

from crm.accounts import oidc
from crm.accounts.access import entrance
from crm.accounts.routes import bp, client, same_site, welcome
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.errors import NotFound

LONGEST = 4_000


@bp.before_app_request
def no_provider() -> None:
    """Without a provider these addresses lead nowhere."""
    if request.path.startswith("/sign-in/oidc") and not oidc.configured(current_settings()):
        raise NotFound(_("No sign-in service is set up here."))


@bp.get("/sign-in/oidc")
@entrance
def oidc_start() -> Any:
    """Go to the provider."""
    cookie["oidc_next"] = same_site(request.args.get("next"))
    try:
        return oidc.leave_for_provider()
    except oidc.NotSignedIn as error:
        return back_to_start(error)


@bp.get(oidc.BACK)
@entrance
def oidc_back() -> Any:
    """The provider's answer: one button, and nothing happens before it is pressed."""
    code, state = request.args.get("code", ""), request.args.get("state", "")
    if not code or not state or len(code) + len(state) > LONGEST:
        flash(_("The sign-in service sent no answer that can be used. Try again."), "error")
        return redirect(url_for("accounts.sign_in"))
    return render_template("crm/accounts/oidc_back.html", code=code, state=state)


@bp.post(oidc.BACK)
@entrance
def oidc_sign_in() -> Any:
    """Redeem the answer, and sign in the account of the address that it proves."""
    at = clock.now()
    target = same_site(cookie.pop("oidc_next", None))
    try:
        user, saw_factor = oidc.redeem(db.session(), client=client(), at=at)
    except oidc.NotSignedIn as error:
        db.session.commit()
        return back_to_start(error)
    return welcome(user, target, how="oidc", factor_at=at if saw_factor else None)


def back_to_start(error: oidc.NotSignedIn) -> Any:
    """The page where one can ask for a code instead, with the sentence."""
    flash(str(error), "error")
    return redirect(url_for("accounts.sign_in"), 303)
