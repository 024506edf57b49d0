"""What the interactions area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import Panel, extensions
from crm.interactions.fields import DID, FIELDS
from crm.interactions.panels import timeline_panel
from crm.interactions.routes import bp
from crm.interactions.words import KINDS


def init_app(app: Flask) -> None:
    """Register routes, query fields and the timeline on a person's page."""
    known = extensions(app)
    known.object_names["interaction kind"] = lambda _session, keys: {
        key: str(KINDS[key]) for key in keys if key in KINDS
    }
    app.register_blueprint(bp)
    known.query_fields.extend(FIELDS)
    known.add_rows(DID)
    known.alumnus_panels.append(
        Panel("timeline", "crm/interactions/_timeline.html", order=90, load=timeline_panel)
    )
