"""What the portal area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.portal import routes


def init_app(app: Flask) -> None:
    """Register the pages behind mailed links."""
    app.register_blueprint(routes.bp)
