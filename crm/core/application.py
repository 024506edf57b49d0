"""Builds the bare Flask app that the packages then register with: database, jobs, time zones."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Dialect, event
from sqlalchemy.engine import make_url
from werkzeug.middleware.proxy_fix import ProxyFix

from crm.core import (
    models,  # noqa: F401 - tables that no other module may import first
    operations,
    upkeep,
)
from crm.core.database import db, migrate
from crm.core.embedded import EmbeddedServer
from crm.core.extend import extensions
from crm.core.jobs import Jobs
from crm.core.log import configure_logging, log_requests
from crm.core.settings import Settings, secret_key

MAX_UPLOAD = 512 * 1024 * 1024
# Parameters hold people's data, and errors are logged.
ENGINE = {"pool_size": 10, "max_overflow": 10, "hide_parameters": True}


def build(settings: Settings, *, root: Path) -> Flask:
    """A Flask app with its database and queue, and nothing else."""
    configure_logging(settings)
    app = Flask(
        "homecoming",
        root_path=str(root),
        template_folder=str(root / "templates"),
        static_folder=str(root / "static"),
        instance_path=str(settings.instance.resolve()),
    )
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=secret_key(settings),
        SQLALCHEMY_DATABASE_URI=settings.database_url or "postgresql+psycopg://",
        SQLALCHEMY_ENGINE_OPTIONS=ENGINE,
        MAX_CONTENT_LENGTH=MAX_UPLOAD,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        SESSION_COOKIE_NAME="__Host-homecoming" if settings.secure else "homecoming",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=14),
        WTF_CSRF_TIME_LIMIT=None,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies, x_host=0
        )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    extensions(app)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(root / "migrations"), compare_type=True)
    app.extensions["homecoming.server"] = _embedded(app, settings)
    app.extensions["homecoming.jobs"] = Jobs(app, lambda: database_address(app))
    log_requests(app)
    operations.init_app(app)
    upkeep.init_app(app)
    return app


def database_address(app: Flask) -> str:
    """The libpq address of the app's database, which is started first if it is the embedded one."""
    server = app.extensions["homecoming.server"]
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    if server is not None:
        server.acquire()
        url = server.url
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _embedded(app: Flask, settings: Settings) -> EmbeddedServer | None:
    """The server of our own, where the settings name no other."""
    if settings.database_url:
        return None
    server = EmbeddedServer(settings.instance)
    _connect_lazily(app, server)
    return server


def _connect_lazily(app: Flask, server: EmbeddedServer) -> None:
    """Start the embedded server at the first connection, so that `--help` starts nothing."""
    with app.app_context():

        @event.listens_for(db.engine, "do_connect")
        def start(dialect: Dialect, _: Any, __: Any, parameters: dict[str, Any]) -> None:
            server.acquire()
            parameters.update(dialect.create_connect_args(make_url(server.url))[1])


def site_host() -> str:
    """The host name of our pages: what makes ids of ours unique in the world."""
    return current_settings().base_url.partition("://")[2].partition(":")[0] or "homecoming"


def current_settings() -> Settings:
    """The settings of the current app."""
    found = current_app.config["SETTINGS"]
    if not isinstance(found, Settings):
        raise TypeError("the app has no settings")
    return found
