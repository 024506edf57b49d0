"""What the calendar area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, extensions
from crm.core.viewer import Permission
from lifecycle.calendar.routes import bp


def init_app(app: Flask) -> None:
    """Register the settings page."""
    app.register_blueprint(bp)
    extensions(app).settings_pages.append(
        NavEntry(
            "calendar.calendar", _("School calendar"), "calendar3", 14, Permission.SETTINGS,
            _("District"),
        )
    )  # fmt: skip
