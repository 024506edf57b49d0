"""What the bulk area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.bulk import background, routes, service
from crm.bulk import models as models  # tables
from crm.bulk.actions import deeds, facts, interests
from crm.core.extend import NavEntry, PeriodicJob, extensions
from crm.core.jobs import jobs
from crm.core.viewer import Permission

DAY = 24 * 3600
ACTIONS = (
    interests.WAY, interests.SUBJECT, facts.CUSTOM, facts.LANGUAGE, deeds.DEED, facts.SILENCE,
    deeds.STOP,
)  # fmt: skip


def init_app(app: Flask) -> None:
    """Register pages, actions, the job and the upkeep."""
    app.register_blueprint(routes.bp)
    jobs(app).register(service.JOB, background.work)
    known = extensions(app)
    known.object_names["bulk action"] = lambda _session, keys: {
        action.key: str(action.label) for action in ACTIONS if action.key in keys
    }
    known.bulk_actions.extend(ACTIONS)
    known.derived["bulk_line"] = "alumnus_id in ({gone})"
    known.jobs.append(PeriodicJob("bulk.tidy", DAY, background.tidy))
    known.navigation.append(
        NavEntry(
            "bulk.index", _("Bulk changes"), "ui-checks", 84, Permission.PEOPLE_EDIT, _("Records")
        )
    )
