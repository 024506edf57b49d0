"""Where the harness works: databases of its own, and the ways to take a database away."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from crm.core.database import db
from crm.core.embedded import EmbeddedServer
from tests.conftest import run_sql, settings_for
from wsgi import create_app

END_ALL = """select pg_terminate_backend(pid) from pg_stat_activity
    where datname = '{name}' and backend_type = 'client backend'"""


@dataclass(frozen=True)
class Place:
    """A server, an empty migrated database on it to copy, a folder, and how it is restarted."""

    server: URL
    template: str
    folder: Path
    restart: Callable[[str], None]

    def app(self, name: str, **settings: Any) -> Flask:
        """An app on a fresh database of that name."""
        self.fresh(name)
        folder = self.folder / name
        return create_app(settings_for(self.server.set(database=name), folder, **settings))

    def fresh(self, name: str) -> None:
        """Make a database anew, empty; nobody may be on it."""
        self.drop(name)
        run_sql(self.server, f"create database {name} template {self.template}")

    def drop(self, name: str) -> None:
        """Remove a database, whoever is on it."""
        run_sql(self.server, f"drop database if exists {name} with (force)")


def throw_out(server: URL) -> Callable[[str], None]:
    """Ends every connection of a database: as much of a restart as a server of others allows."""
    return lambda name: run_sql(server, END_ALL.format(name=name)) and None


def answers(url: URL) -> bool:
    """Whether a server takes statements."""
    try:
        return bool(run_sql(url, "select 1"))
    except OperationalError:
        return False


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for something for a minute at most."""
    for _ in range(1_200):
        if done():
            return
        time.sleep(0.05)
    raise TimeoutError


@contextmanager
def own_cluster() -> Iterator[Place]:
    """A PostgreSQL of the harness's own, whose restart is a crash and a recovery."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Where root's servant may enter, so that the data stay in it over a restart.
        folder.chmod(0o755)
        server = EmbeddedServer(folder / "server", durable=False)
        server.acquire()

        url = make_url(server.url)

        def restart(_: str) -> None:
            data = Path(run_sql(url, "show data_directory")[0])
            postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGQUIT)
            # Brought back as soon as its last process is gone.
            wait_until(lambda: server.acquire() is None and answers(url))

        try:
            yield _prepared(url, folder, restart)
        finally:
            server.remove()


@contextmanager
def borrowed(address: str, template: str | None) -> Iterator[Place]:
    """Databases on a server of others, copied from an empty migrated one if it has such."""
    url = make_url(address.replace("postgresql://", "postgresql+psycopg://"))
    with tempfile.TemporaryDirectory() as name:
        restart = throw_out(url)
        if template is not None:
            yield Place(url, template, Path(name), restart)
            return
        place = _prepared(url, Path(name), restart)
        try:
            yield place
        finally:
            place.drop(place.template)


def _prepared(url: URL, folder: Path, restart: Callable[[str], None]) -> Place:
    template = f"homecoming_killed_{os.getpid()}"
    run_sql(url, f"drop database if exists {template}", f"create database {template}")
    app = create_app(settings_for(url.set(database=template), folder / "made"))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return Place(url, template, folder, restart)
