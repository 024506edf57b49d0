"""What the targeting area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

from crm.core.extend import extensions
from segments.targeting import cli
from segments.targeting.fields import FIELDS, SCORES


def init_app(app: Flask) -> None:
    """Register the model's commands beside those of the asks it learns from."""
    known = extensions(app)
    known.derived["score"] = "alumnus_id in ({gone})"
    known.query_fields.extend(FIELDS)
    known.add_rows(SCORES)
    group = app.cli.commands.get("asks")
    if not isinstance(group, AppGroup):
        group = AppGroup("asks", help="People asked, and the chance that they say yes.")
        app.cli.add_command(group)
    for command in (cli.train, cli.evaluate, cli.score, cli.explain):
        group.add_command(command)
