"""The first page after signing in, and two addresses that browsers and robots ask for."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, url_for
from markupsafe import Markup
from werkzeug import Response as Answer

from crm.accounts.access import current_viewer, public, requires
from crm.core import clock
from crm.core.database import db
from crm.core.extend import extensions
from crm.core.viewer import Permission
from crm.home import queries

bp = Blueprint("home", __name__)


@bp.get("/")
@requires(Permission.HOME)
def index() -> str:
    """What needs the viewer today, then the cards that the areas show them."""
    viewer, at, session = current_viewer(), clock.now(), db.session()
    shown = extensions().panels(extensions().home_cards, viewer, at)
    cards = [
        (panel, Markup(render_template(panel.template, panel=panel, **values)))  # noqa: S704
        for panel, values in shown
    ]
    return render_template(
        "crm/home/index.html",
        todo=queries.what_needs(session, viewer, at),
        steps=queries.steps_left(session, viewer),
        cards=cards,
        today=at,
    )


@bp.get("/robots.txt")
@public
def robots() -> Response:
    """Nothing here is for search engines."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


@bp.get("/favicon.ico")
@public
def favicon() -> Answer:
    """Where browsers look when a page names no icon."""
    return redirect(url_for("static", filename="img/mark.svg"))
