"""What the clearance area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, NavEntry, Panel, Personal, extensions
from crm.core.viewer import Permission
from segments.clearance import (
    cases,
    models,  # noqa: F401 - tables
    policy_routes,  # noqa: F401 - its settings page and the list of those on their way
)
from segments.clearance.fields import CLEARANCES, CLEARED
from segments.clearance.panel import load, why
from segments.clearance.routes import bp


def init_app(app: Flask) -> None:
    """Register routes, the panel on a person's page and the query field."""
    app.register_blueprint(bp)
    known = extensions(app)
    known.query_fields.append(CLEARED)
    known.add_rows(CLEARANCES)
    known.why.append(why)
    known.todo.append(cases.todo)
    known.settings_pages.append(
        NavEntry(
            "clearance.policy", _("Clearance"), "shield-check", 17, Permission.SETTINGS.value,
            _("District"),
        )
    )  # fmt: skip
    known.personal["clearance_case"] = Personal(Deed.DELETED)
    known.personal["clearance"] = Personal(Deed.EMPTIED, values="proof = ''")
    known.alumnus_panels.append(
        Panel("clearance", "segments/clearance/_panel.html", order=60, load=load)
    )
