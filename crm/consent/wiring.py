"""What the consent area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.consent import (
    fields,
    panel,
    references,
    routes,
    settings_routes,  # noqa: F401 - routes
    words,
)
from crm.core.extend import NavEntry, Panel, extensions
from crm.core.viewer import Permission


def init_app(app: Flask) -> None:
    """Register the panel on a person's page, the pages, the names of topics, the query fields."""
    app.register_blueprint(routes.bp)
    app.jinja_env.filters["topic_name"] = words.topic_name
    app.jinja_env.filters["topic_about"] = words.topic_about
    registry = extensions(app)
    registry.object_names["topic"] = words.topic_names
    registry.alumnus_panels.append(Panel("consent", "crm/consent/_panel.html", 40, panel.load))
    registry.query_fields.extend(fields.FIELDS)
    registry.add_rows(fields.CHOSE)
    registry.references |= {"user": references.staff, "link": references.own_link}
    registry.settings_pages += [
        NavEntry("consent.all_topics", _("Topics"), "tags", 20, Permission.SETTINGS, _("Mail")),
        NavEntry("consent.minors", _("Under 18"), "person", 22, Permission.SETTINGS, _("Mail")),
    ]
