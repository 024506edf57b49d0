"""What the desk area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, Panel, PeriodicJob, extensions
from crm.core.viewer import Permission
from segments.desk import instead_routes  # noqa: F401 - its routes
from segments.desk.advance import advance
from segments.desk.cli import advance_command, match_command
from segments.desk.panel import load, todo
from segments.desk.routes import bp
from segments.desk.settings_routes import settings
from segments.requests.cli import requests
from segments.requests.extend import request_extensions

EVERY = 300


def init_app(app: Flask) -> None:
    """Register routes, commands, the request's progress, what needs doing and the periodic job."""
    app.register_blueprint(bp)
    app.register_blueprint(settings)
    requests.add_command(match_command)
    requests.add_command(advance_command)
    known = extensions(app)
    known.todo.append(todo)
    known.settings_pages.append(
        NavEntry(
            "asking.asking", _("Waves and turns"), "people", 16, Permission.SETTINGS.value,
            _("District"),
        )
    )  # fmt: skip
    known.jobs.append(PeriodicJob("requests.advance", EVERY, advance))
    request_extensions(app).panels.append(
        Panel("desk", "segments/desk/_panel.html", order=10, load=load)
    )
