"""What the rehearsal area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.jobs import jobs
from lifecycle.rehearsal import cli, models, service  # noqa: F401 - the command, the table
from lifecycle.rehearsal.routes import bp


def init_app(app: Flask) -> None:
    """Register the pages and the task; the command registers itself with the engine's group."""
    jobs(app).register(service.JOB, service.run)
    app.register_blueprint(bp)
