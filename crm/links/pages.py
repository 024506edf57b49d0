"""What every page behind a mailed link shares: opening it, its language, its headers, its ends."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, g, render_template, request
from flask_babel import refresh

from crm.accounts.access import public
from crm.core import clock
from crm.core.database import db
from crm.links import service
from crm.links.tokens import Claim, LinkExpired, LinkInvalid, Opened, claim_of_old, open_link
from crm.mail.outbox import Attachment
from crm.web.i18n import LANGUAGES

bp = Blueprint("links", __name__)


def opened(token: str, purpose: str) -> Opened:
    """The person behind the link of this request, whose language the page then speaks.

    Raises `LinkExpired` and `LinkInvalid`, which `init_app` turns into pages.
    """
    g.link_page = True
    found = open_link(db.session(), token, purpose, at=clock.now())
    speak(found.alumnus.language)
    return found


def speak(language: str) -> None:
    """Answer in a language if pages are written in it, else in the best one for the browser."""
    known = language.partition("-")[0]
    g.language = known if known in LANGUAGES else None
    refresh()  # type: ignore[no-untyped-call]


def chosen_language() -> dict[str, Any]:
    """The language chosen for this visit, to carry on to the next address."""
    lang = request.args.get("lang", "")
    return {"lang": lang} if lang in LANGUAGES else {}


def handed(file: Attachment) -> Response:
    """A file of a letter, such as a calendar's, fetched from a page."""
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.body, mimetype=file.media_type, headers=headers)


@bp.post("/fresh-link")
@public
def fresh() -> Any:
    """Mail a fresh link to the address that an old one went to."""
    g.link_page = True
    claim = claim_of_old(request.form.get("token", ""), request.form.get("purpose", ""))
    client = request.remote_addr or "unknown"
    speak_to(claim)
    service.mail_fresh_link(db.session(), claim, client=client, at=clock.now())
    db.session.commit()
    return render_template("crm/links/fresh.html")


def speak_to(claim: Claim) -> None:
    """Speak the language of the person that a claim, however old, is about."""
    language = service.language_of(db.session(), claim)
    if language:
        speak(language)


def init_app(app: Flask) -> None:
    """Register the page for old links, the one for no links, and the headers of them all."""
    app.register_blueprint(bp)

    @app.errorhandler(LinkExpired)
    def too_old(error: LinkExpired) -> Any:
        g.link_page = True
        db.session.rollback()
        speak_to(error.claim)
        point = service.bound_address(db.session(), error.claim)
        token = (request.view_args or {}).get("token") or request.form.get("token", "")
        return render_template(
            "crm/links/expired.html", token=token, purpose=error.claim.purpose,
            address=service.mask(point.value) if point else "",
        ), 410  # fmt: skip

    @app.errorhandler(LinkInvalid)
    def no_link(_: LinkInvalid) -> Any:
        g.link_page = True
        db.session.rollback()
        return render_template("crm/links/invalid.html"), 404

    @app.after_request
    def private(response: Response) -> Response:
        if g.get("link_page"):
            response.headers["Cache-Control"] = "no-store"
            response.headers["Referrer-Policy"] = "same-origin"
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response
