"""The composition root: settings → Flask app → crm, segments, lifecycle, in that order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from dotenv import dotenv_values
from flask import Flask
from flask.cli import ScriptInfo

import crm.app
import demo.cli
import lifecycle.app
import segments.app
from crm.core import application
from crm.core.errors import Refused
from crm.core.settings import Settings, load_settings

HERE = Path(__file__).resolve().parent


def create_app(settings: Settings | None = None) -> Flask:
    """The application; raises `Refused` naming every fault in the settings."""
    app = application.build(settings or settings_from_environment(), root=HERE)
    crm.app.init_app(app)
    segments.app.init_app(app)
    lifecycle.app.init_app(app)
    demo.cli.init_app(app)
    return app


def settings_from_environment() -> Settings:
    """Settings from the environment, with `.env` beside this file filling what is not set."""
    from_file = {k: v for k, v in dotenv_values(HERE / ".env").items() if v is not None}
    settings = load_settings({**from_file, **os.environ})
    if not settings.instance.is_absolute():
        settings = settings.model_copy(update={"instance": HERE / settings.instance})
    return settings


def main() -> None:
    """The `homecoming` command."""
    try:
        app = create_app()
    except Refused as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    app.cli.main(prog_name="homecoming", obj=ScriptInfo(create_app=lambda: app))


if __name__ == "__main__":
    main()
