"""What the clearance area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import Deed, Panel, Personal, extensions
from segments.clearance import models  # noqa: F401 - tables
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
    known.personal["clearance"] = Personal(Deed.EMPTIED, values="proof = ''")
    known.alumnus_panels.append(
        Panel("clearance", "segments/clearance/_panel.html", order=60, load=load)
    )
