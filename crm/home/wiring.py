"""What the home area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, extensions
from crm.core.viewer import Permission
from crm.home import queries, report_routes, routes


def init_app(app: Flask) -> None:
    """Register the pages, their navigation and the first steps of this package."""
    app.register_blueprint(routes.bp)
    app.register_blueprint(report_routes.bp)
    known = extensions(app)
    known.navigation.append(NavEntry("home.index", _("Home"), "house", 0, Permission.HOME))
    known.navigation.append(
        NavEntry("reports.index", _("Reports"), "bar-chart", 60, Permission.HOME)
    )
    known.first_steps.append(queries.records_first)
