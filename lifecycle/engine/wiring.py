"""What the engine area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import PeriodicJob, extensions
from lifecycle.engine.bulk import ENTER
from lifecycle.engine.cli import lifecycle
from lifecycle.engine.service import advance

EVERY_SECONDS = 60


def init_app(app: Flask) -> None:
    """Register the periodic tick, the bulk change and the commands."""
    extensions(app).bulk_actions.append(ENTER)
    extensions(app).jobs.append(PeriodicJob("lifecycle.advance", EVERY_SECONDS, advance))
    app.cli.add_command(lifecycle)
