"""What the alumni area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.alumni import composing, fields, queries
from crm.alumni.cli import people
from crm.alumni.routes import bp
from crm.core.extend import NavEntry, extensions
from crm.core.viewer import Permission


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    known = extensions(app)
    fields.register(known)
    known.object_names["alumnus"] = queries.names_of
    app.register_blueprint(bp)
    app.register_blueprint(composing.bp)
    app.cli.add_command(people)
    known.navigation.append(
        NavEntry("people.index", _("People"), "people", 10, Permission.PEOPLE_VIEW)
    )
