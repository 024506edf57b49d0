"""What the exports area registers with the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from crm.core.extend import NavEntry, Panel, PeriodicJob, extensions
from crm.core.jobs import jobs
from crm.core.viewer import Permission
from crm.exports import making, queries, routes, service
from crm.exports import models as models  # tables

HOUR = 3600


def _rules(session: Session) -> Mapping[str, Any]:
    """What the page of the installation says about exports."""
    return {"alone": queries.alone(), "days": making.KEPT.days, "lapse": queries.LAPSE.days}


def init_app(app: Flask) -> None:
    """Register pages, the job, the upkeep, what waits and what the installation page shows."""
    app.register_blueprint(routes.bp)
    app.register_blueprint(routes.quick)
    jobs(app).register(service.JOB, making.make)
    known = extensions(app)
    known.derived["export_person"] = "alumnus_id in ({gone})"
    known.jobs.append(PeriodicJob("exports.tidy", HOUR, making.tidy))
    known.todo.append(queries.waiting_exports)
    known.settings_panels.append(Panel("exports", "crm/exports/_settings.html", 60, _rules))
    known.navigation.append(
        NavEntry("exports.index", _("Exports"), "box-arrow-up", 83, Permission.EXPORT, _("Records"))
    )
