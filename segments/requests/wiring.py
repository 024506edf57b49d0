"""What the requests area registers with the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, url_for
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import NavEntry, Panel, ReportEntry, Todo, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission, Viewer
from segments.requests import (
    board,
    board_routes,  # noqa: F401 - the board's routes
    models,  # noqa: F401 - tables
    public,
    queries,
)
from segments.requests.cli import requests
from segments.requests.models import Request
from segments.requests.routes import bp
from segments.requests.words import (
    GRADES,
    PLACES,
    STATES,
    TONES,
    day_in,
    due_words,
    in_zone,
    next_step,
    urgency,
)


def home_card(viewer: Viewer, at: datetime) -> Mapping[str, Any] | None:
    """Open requests by age, for those who may see any."""
    if not viewer.may(Permission.REQUESTS_VIEW):
        return None
    session = db.session()
    return {
        "ages": queries.ages(session, viewer, at),
        "counts": board.counts(session, viewer, board.Filters(), at),
        "can_post": viewer.may(Permission.REQUESTS_CREATE),
    }  # fmt: skip


def todo(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Requests that wait for somebody's word."""
    if viewer.may(Permission.REQUESTS_ASK):
        waiting = board.counts(session, viewer, board.Filters(group="waiting"), at)["waiting"]
        href = url_for("requests.index", group="waiting")
        label = ngettext("request waits for approval", "requests wait for approval", waiting)
        yield Todo(label, waiting, href, "warn", 20)


def init_app(app: Flask) -> None:
    """Register routes, commands, navigation, settings, the home card and what needs doing."""
    app.register_blueprint(bp)
    app.cli.add_command(requests)
    known = extensions(app)
    known.object_names["request"] = names_by(Request.id, Request.title)
    entry = NavEntry(
        "requests.index", _("Requests"), "hand-index", 30, Permission.REQUESTS_VIEW.value
    )
    known.navigation.append(entry)
    known.reports.append(
        ReportEntry(
            "requests.schools", _("Schools side by side"),
            _("Requests posted within a year: how many were filled, and how soon."), 20,
            Permission.REQUESTS_VIEW,
        )
    )  # fmt: skip
    known.todo.append(todo)
    known.public_wishes.append(public.wishes)
    known.home_cards.append(Panel("requests", "segments/requests/_card.html", 30, home_card))
    app.jinja_env.filters["in_zone"] = in_zone
    app.jinja_env.globals["request_words"] = {
        "states": STATES, "tones": TONES, "grades": GRADES, "places": PLACES, "next": next_step,
        "urgency": urgency, "due": due_words, "day": day_in,
    }  # fmt: skip
    known.settings_pages.append(
        NavEntry(
            "requests.times", _("Request times"), "alarm", 15, Permission.SETTINGS.value,
            _("District"),
        )
    )  # fmt: skip
