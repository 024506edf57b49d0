"""The app on a real PostgreSQL; each test in an outer transaction that is rolled back."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.accounts.sessions import start_session
from crm.core import clock
from crm.core.database import db
from crm.core.embedded import EmbeddedServer
from crm.core.settings import Settings
from tests.factories import Make
from wsgi import create_app

TODAY = datetime(2026, 9, 15, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def server_url(shared_folder: Path) -> Iterator[URL]:
    """A server to make databases on: the one named for tests, or an embedded one."""
    named = os.environ.get("HOMECOMING_TEST_DATABASE_URL")
    if named:
        yield make_url(named.replace("postgresql://", "postgresql+psycopg://"))
        return
    server = EmbeddedServer(shared_folder / "instance", durable=False)
    server.acquire()
    yield make_url(server.url)
    server.release()


def run_sql(server: URL, *statements: str) -> list[Any]:
    """Run statements that want no transaction, on the server's own database."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return [r.scalar() if r.returns_rows else None for r in results]
    finally:
        engine.dispose()


def settings_for(url: URL, instance: Path, **changes: Any) -> Settings:
    """Settings for a test app."""
    values: dict[str, Any] = {
        "database_url": url.set(drivername="postgresql").render_as_string(hide_password=False),
        "instance": instance, "secret_key": "only-for-tests-0123456789", "log": "quiet",
        "base_url": "http://localhost",
    }  # fmt: skip
    return Settings.model_validate({**values, **changes})


def template_name() -> str:
    """One template for each state of the migrations, so that runs side by side share it."""
    scripts = sorted((Path(__file__).parent.parent / "migrations" / "versions").glob("*.py"))
    digest = hashlib.sha256(b"".join(script.read_bytes() for script in scripts))
    return f"homecoming_template_{digest.hexdigest()[:12]}"


@pytest.fixture(scope="session")
def template(server_url: URL, shared_folder: Path) -> str:
    """The name of a migrated, empty database to copy; made whole or not at all."""
    name = template_name()
    known = f"select 1 from pg_database where datname = '{name}'"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(20260901)"))
        if not connection.scalar(text(known)):
            new = f"{name}_new"
            connection.execute(text(f"drop database if exists {new} with (force)"))
            connection.execute(text(f"create database {new}"))
            app = create_app(settings_for(server_url.set(database=new), shared_folder / "made"))
            with app.app_context():
                upgrade()
                db.engine.dispose()
            connection.execute(text(f"alter database {new} rename to {name}"))
    engine.dispose()
    return name


@pytest.fixture(scope="session")
def make_database(server_url: URL, template: str) -> Iterator[Callable[[], URL]]:
    """Makes a migrated, empty database for whoever must commit or use two connections."""
    made: list[str] = []

    def make() -> URL:
        name = f"homecoming_test_{uuid4().hex[:12]}"
        run_sql(server_url, f"create database {name} template {template}")
        made.append(name)
        return server_url.set(database=name)

    yield make
    run_sql(server_url, *(f"drop database if exists {name} with (force)" for name in made))


@pytest.fixture(scope="session")
def app(
    make_database: Callable[[], URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The whole application on a migrated database."""
    app = create_app(settings_for(make_database(), tmp_path_factory.mktemp("instance")))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=True)

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        # Tests keep one app context for many requests; what one request remembered must not
        # reach the next.
        for key in list(g):
            g.pop(key)

    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session whose commits are savepoints of a transaction that ends with the test."""
    with app.app_context():
        engine = db.engine
        connection = engine.connect()
        transaction = connection.begin()
        # Flask-SQLAlchemy has no public way to bind an app's sessions to one connection.
        engines = db._app_engines[app]
        engines[None] = connection  # type: ignore[assignment]
        factory = db.session.session_factory
        options = dict(factory.kw)
        factory.configure(join_transaction_mode="create_savepoint")
        try:
            yield db.session()
        finally:
            db.session.remove()
            factory.kw.clear()
            factory.kw.update(options)
            engines[None] = engine
            transaction.rollback()
            connection.close()


@pytest.fixture
def now() -> Iterator[datetime]:
    """A fixed moment, which the edges see too."""
    with clock.at(TODAY):
        yield TODAY


@pytest.fixture
def make(session: Session, now: datetime) -> Make:
    """Makes valid rows; give only what the test is about."""
    return Make(session, now)


@pytest.fixture
def client(app: Flask, session: Session, now: datetime) -> FlaskClient:
    """A browser without JavaScript that has not signed in."""
    return app.test_client()


@pytest.fixture
def login_as(client: FlaskClient, session: Session, now: datetime) -> Callable[[User], FlaskClient]:
    """Signs a user in on the test's browser."""

    def login(user: User) -> FlaskClient:
        token = start_session(session, user, at=now)
        session.commit()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = token
            cookie["_fresh"] = True
        return client

    return login


@pytest.fixture
def coordinator(make: Make, login_as: Callable[[User], FlaskClient]) -> FlaskClient:
    """A browser signed in as the district's coordinator."""
    return login_as(make.user())


@pytest.fixture
def runner(app: Flask, session: Session, now: datetime) -> Any:
    """Runs commands: `runner.invoke(args=["people", "find", "class:2019", "--json"])`."""
    return app.test_cli_runner()


@pytest.fixture
def queries(session: Session) -> Iterator[list[str]]:
    """The statements sent to the database while the test ran on (clear it before you act)."""
    seen: list[str] = []
    connection = session.connection()

    def note(*arguments: Any) -> None:
        seen.append(str(arguments[2]))

    event.listen(connection, "before_cursor_execute", note)
    yield seen
    event.remove(connection, "before_cursor_execute", note)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in a test may leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        local = not isinstance(address, tuple) or str(address[0]) in {
            "127.0.0.1",
            "::1",
            "localhost",
        }
        if not local:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
