"""What the journeys area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import Panel, extensions
from lifecycle.journeys import gates, models  # noqa: F401 - tables
from lifecycle.journeys.cli import journeys
from lifecycle.journeys.explain import alumnus_panel, why
from lifecycle.journeys.fields import FIELDS


def init_app(app: Flask) -> None:
    """Register pages, commands, fields, the panel on a person's page and the send gate."""
    known = extensions(app)
    known.query_fields.extend(FIELDS)
    known.why.append(why)
    known.send_gates[gates.PREFIX] = gates.stopped
    known.alumnus_panels.append(
        Panel("journeys", "lifecycle/journeys/_panel.html", order=40, load=alumnus_panel)
    )
    app.cli.add_command(journeys)
