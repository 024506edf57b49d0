"""What the clearance area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, FieldKind, Panel, Personal, QueryField, extensions
from segments.clearance import models  # noqa: F401 - tables
from segments.clearance.panel import load, why
from segments.clearance.queries import holds_level
from segments.clearance.routes import bp

CLEARED = QueryField(
    key="cleared",
    label=_("Clearance held today, at least level"),
    kind=FieldKind.NUMBER,
    condition=holds_level,
    example="cleared:2",
)


def init_app(app: Flask) -> None:
    """Register routes, the panel on a person's page and the query field."""
    app.register_blueprint(bp)
    known = extensions(app)
    known.query_fields.append(CLEARED)
    known.why.append(why)
    known.personal["clearance"] = Personal(Deed.EMPTIED, values="proof = ''")
    known.alumnus_panels.append(
        Panel("clearance", "segments/clearance/_panel.html", order=60, load=load)
    )
