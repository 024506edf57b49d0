"""A connection that its server closed is never given to a page."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.core import database
from crm.core.application import ENGINE
from crm.core.database import db, each_by_itself


@pytest.fixture
def engine(app: Flask) -> Engine:
    with app.app_context():
        return create_engine(db.engine.url, **{**ENGINE, "pool_size": 1, "max_overflow": 0})


def test_a_connection_that_was_cut_off_is_replaced(app: Flask, engine: Engine) -> None:
    with engine.connect() as connection:
        pid = connection.scalar(text("select pg_backend_pid()"))
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) == pid
    with app.app_context(), db.engine.connect() as other:
        other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
    for _ in range(100):
        time.sleep(0.02)
        with app.app_context(), db.engine.connect() as other:
            left = "select count(*) from pg_stat_activity where pid = :pid"
            if not other.scalar(text(left), {"pid": pid}):
                break
    with engine.connect() as connection:
        assert connection.scalar(text("select pg_backend_pid()")) != pid
    engine.dispose()


def test_only_what_lay_idle_is_asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.connect():
        pass

    def asked(*_: object) -> None:
        raise OperationalError("asked", {}, Exception())

    monkeypatch.setattr(database, "_ping", asked)
    with engine.connect():
        pass
    monkeypatch.setattr(database, "PING_AFTER", -1.0)
    with pytest.raises(OperationalError, match="asked"):
        engine.connect()
    engine.dispose()


def test_a_session_that_only_reads_begins_nothing_and_leaves_no_trace(engine: Engine) -> None:
    def state(session: Session) -> tuple[bool, bool]:
        sql = "select pg_backend_pid(), now() <> statement_timestamp()"
        session.execute(text(sql))
        time.sleep(0.001)
        return bool(session.execute(text(sql)).one()[1]), session.in_transaction()

    with Session(engine) as reading:
        each_by_itself(reading)
        assert state(reading) == (False, True)
    with Session(engine) as after:
        assert state(after) == (True, True)
        each_by_itself(after)
        assert state(after) == (True, True)
    engine.dispose()
