"""What the portal area registers with the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from crm.core.extend import Panel, extensions
from crm.portal import queries, routes


def init_app(app: Flask) -> None:
    """Register the pages behind mailed links, and the topics on the settings page."""
    app.register_blueprint(routes.bp)
    panel = Panel("topics", "crm/portal/_topics_panel.html", 10, topics)
    extensions(app).settings_panels.append(panel)


def topics(session: Session) -> Mapping[str, Any]:
    """What one may opt into, for the settings page."""
    return {"topics": queries.topics_overview(session)}
