"""What the consent area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.consent import fields, panel, routes
from crm.core.extend import Panel, extensions


def init_app(app: Flask) -> None:
    """Register the panel on a person's page, its route and the query fields."""
    app.register_blueprint(routes.bp)
    registry = extensions(app)
    registry.alumnus_panels.append(Panel("consent", "crm/consent/_panel.html", 40, panel.load))
    registry.query_fields.extend(fields.FIELDS)
