"""What the targeting area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, PeriodicJob, extensions
from crm.core.jobs import jobs as jobs_of
from crm.core.viewer import Permission
from segments.targeting import cli, jobs, queries, scores
from segments.targeting.fields import FIELDS, SCORES
from segments.targeting.routes import bp


def init_app(app: Flask) -> None:
    """Register the model's commands beside those of the asks it learns from."""
    known = extensions(app)
    known.derived["score_block"] = scores.GONE
    known.kept_among_others["score"] = scores.scores_of
    known.query_fields.extend(FIELDS)
    known.add_rows(SCORES)
    app.register_blueprint(bp)
    jobs_of(app).register("targeting.train", jobs.train)
    known.jobs.append(PeriodicJob("targeting.watch", jobs.NIGHT, jobs.watch))
    known.todo.append(queries.to_do)
    known.settings_pages.append(
        NavEntry("model.page", _("Model of a yes"), "graph-up", 18, Permission.SETTINGS.value,
                 _("District"))
    )  # fmt: skip
    group = app.cli.commands.get("asks")
    if not isinstance(group, AppGroup):
        group = AppGroup("asks", help="People asked, and the chance that they say yes.")
        app.cli.add_command(group)
    for command in (cli.train, cli.evaluate, cli.score, cli.explain):
        group.add_command(command)
