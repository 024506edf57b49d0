"""What the journeys area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, Panel, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission
from crm.rights import schedule
from lifecycle.calendar.extend import calendar_changed
from lifecycle.journeys import (  # noqa: F401 - tables, routes
    gates,
    models,
    people_routes,
    task_routes,
    tasks,
    why_routes,
)
from lifecycle.journeys.cli import journeys
from lifecycle.journeys.explain import alumnus_panel, why
from lifecycle.journeys.fields import ENROLLED, FIELDS, MAILED_AT, MAILED_BY, STEPPED
from lifecycle.journeys.home import first_step, to_do
from lifecycle.journeys.keeping import kept_steps
from lifecycle.journeys.models import Journey
from lifecycle.journeys.rewaiting import wake_those_who_wait
from lifecycle.journeys.routes import bp
from lifecycle.journeys.uses import journey_origins, journeys_that_name


def init_app(app: Flask) -> None:
    """Register pages, commands, fields, the panel on a person's page and the send gate."""
    known = extensions(app)
    known.object_names["journey"] = names_by(Journey.key, Journey.name)
    known.query_fields.extend(FIELDS)
    known.add_rows(ENROLLED, STEPPED)
    known.query_rows["mail"].fields.extend([MAILED_BY, MAILED_AT])
    known.why.append(why)
    known.derived["step_run"] = (
        "(enrollment_id, entered_on) in (select id, cast(timezone('UTC', entered_at) as date) "
        "from enrollment where alumnus_id in ({gone}))"
    )
    known.derived["enrollment"] = known.derived["staff_task"] = "alumnus_id in ({gone})"
    known.follow |= {"enrollment", "staff_task"}
    schedule.register(known, kept_steps())
    known.send_gates[gates.PREFIX] = gates.stopped
    known.alumnus_panels.append(
        Panel("journeys", "lifecycle/journeys/_panel.html", order=40, load=alumnus_panel)
    )
    known.alumnus_panels.append(
        Panel("tasks", "lifecycle/journeys/_tasks.html", order=15, load=tasks.task_panel)
    )
    known.navigation.append(
        NavEntry("journeys.index", _("Journeys"), "signpost-split", 50, Permission.JOURNEYS_VIEW)
    )
    known.settings_pages.append(
        NavEntry(
            "journeys.control_group", _("Control group"), "people", 26, Permission.SETTINGS,
            _("Mail"),
        )
    )  # fmt: skip
    known.first_steps.append(first_step)
    known.todo.extend([to_do, tasks.to_do])
    known.query_users.append(journeys_that_name)
    known.origins.append(journey_origins)
    calendar_changed(app).append(wake_those_who_wait)
    app.register_blueprint(bp)
    app.cli.add_command(journeys)
