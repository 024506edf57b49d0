"""What the home area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, extensions
from crm.core.viewer import Permission
from crm.home import queries, routes


def init_app(app: Flask) -> None:
    """Register the page, its navigation entry and the first steps of this package."""
    app.register_blueprint(routes.bp)
    known = extensions(app)
    known.navigation.append(NavEntry("home.index", _("Home"), "house", 0, Permission.HOME))
    known.first_steps.append(queries.records_first)
