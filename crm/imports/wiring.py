"""What the imports area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup

from crm.imports import cli
from crm.imports import models as models  # tables


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    for group in (cli.schools, cli.interactions, cli.imports):
        app.cli.add_command(group)
    people = app.cli.commands.get("people")
    if not isinstance(people, AppGroup):
        people = AppGroup("people", help="Alumni: find, show, import, merge.")
        app.cli.add_command(people)
    people.add_command(cli.people_import)
