"""What the duplicates area registers with the app."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.database import db
from crm.core.extend import NavEntry, Panel, PeriodicJob, extensions
from crm.core.jobs import jobs
from crm.core.viewer import Permission
from crm.duplicates import (
    arriving,
    models,  # noqa: F401 - tables
)
from crm.duplicates.cli import duplicates
from crm.duplicates.fields import FIELDS
from crm.duplicates.finding import find_changed
from crm.duplicates.queries import merged_fields, of_import, waiting_pairs
from crm.duplicates.routes import bp

DAILY = 86_400


def look(at: datetime) -> None:
    """The nightly pass."""
    find_changed(db.session(), at=at)
    db.session.commit()


def _arrived(import_id: int) -> Mapping[str, Any] | None:
    count = of_import(db.session(), import_id)
    return {"count": count, "import_id": import_id} if count else None


def init_app(app: Flask) -> None:
    """Register the pages, the commands, the nightly pass and what waits."""
    app.register_blueprint(bp)
    app.cli.add_command(duplicates)
    known = extensions(app)
    known.derived["duplicate_pair"] = "first_id in ({gone}) or second_id in ({gone})"
    jobs(app).register(arriving.JOB, arriving.look)
    known.told.append(merged_fields)
    known.imported.append(arriving.ask)
    known.import_panels.append(Panel("duplicates", "crm/duplicates/_of_import.html", 10, _arrived))
    known.jobs.append(PeriodicJob("duplicates.find", DAILY, look))
    known.todo.append(waiting_pairs)
    known.query_fields.extend(FIELDS)
    known.navigation.append(
        NavEntry(
            "duplicates.index", _("Duplicates"), "intersect", 85, Permission.IMPORT, _("Records")
        )
    )
