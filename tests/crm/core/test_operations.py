"""The program runs, says how it is, and ends without leaving anything behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from crm.core.doctor import check_heartbeats, check_mail, check_sending_domain, check_settings
from crm.core.errors import Refused
from crm.core.migrations import ensure_current
from crm.core.models import Heartbeat
from crm.core.operations import listen
from crm.core.settings import Settings
from crm.core.viewer import Role
from tests.conftest import run_sql
from tests.factories import Make

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def environ(instance: Path, url: URL | None = None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOMECOMING", "PG"))}
    kept["HOMECOMING_INSTANCE"] = str(instance)
    if url is not None:
        plain = url.set(drivername="postgresql")
        kept["HOMECOMING_DATABASE_URL"] = plain.render_as_string(hide_password=False)
    return kept


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "import wsgi; wsgi.main()", *words]


@contextmanager
def running(env: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to end."""
    process = subprocess.Popen(
        command(*words), env=env, cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def opened(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_open(address: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            opened(address)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[str, str, float]:
    """Tell a process to end; its output, and how long it took."""
    start = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return out, err, time.monotonic() - start


def heard(url: URL) -> list[Any]:
    return run_sql(url, "select string_agg(name, ',' order by name) from heartbeat")


@pytest.mark.slow
def test_serve_runs_everything_and_ends_at_once(
    make_database: Callable[[], URL], tmp_path: Path
) -> None:
    url, port = make_database(), free_port()
    address = f"http://127.0.0.1:{port}"
    with running(environ(tmp_path, url), "serve", "--port", str(port)) as process:
        wait_open(f"{address}/healthz")
        assert opened(f"{address}/readyz") == (200, "ready\n")
        deadline = time.monotonic() + 15
        while heard(url) != ["clock,worker"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        status, figures = opened(f"{address}/metrics")
        assert status == 200
        assert 'homecoming_heartbeat_age_seconds{name="worker"}' in figures
        assert "homecoming_messages_due_age_seconds" in figures
        out, err, seconds = end(process)
    assert process.returncode == 0
    assert out.splitlines() == [f"Homecoming is open at {address}"]
    assert "Traceback" not in err
    assert seconds < 8


@pytest.mark.slow
def test_serve_without_a_database_starts_one_and_takes_it_along(tmp_path: Path) -> None:
    port = free_port()
    instance = tmp_path / "with a space"
    with running(environ(instance), "serve", "--port", str(port)) as process:
        wait_open(f"http://127.0.0.1:{port}/healthz", 60)
        assert opened(f"http://127.0.0.1:{port}/readyz")[0] == 200
        facts = json.loads((instance / "postgres.json").read_text())
        home = instance / facts["home"]
        number = int((home / "data" / "postmaster.pid").read_text().splitlines()[0])
        assert Path(f"/proc/{number}").exists() or sys.platform != "linux"
        _, _, seconds = end(process, signal.SIGINT)
    assert process.returncode == 0
    assert not (home / "data" / "postmaster.pid").exists()
    assert not Path(f"/proc/{number}").exists()
    assert seconds < 10


@pytest.mark.slow
def test_web_worker_and_clock_run_apart(make_database: Callable[[], URL], tmp_path: Path) -> None:
    url, port = make_database(), free_port()
    env = environ(tmp_path, url)
    with (
        running(env, "web", "--port", str(port)) as web,
        running(env, "worker") as worker,
        running(env, "clock") as clock,
    ):
        wait_open(f"http://127.0.0.1:{port}/healthz")
        deadline = time.monotonic() + 30
        while heard(url) != ["clock,worker"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for process in (web, worker, clock):
            end(process)
            assert process.returncode == 0


def test_a_port_that_is_taken_is_refused_with_advice(app: Flask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port}.*another --port"):
            listen(app, "127.0.0.1", port)


def test_a_database_of_ones_own_that_is_behind_is_refused(app: Flask, session: Session) -> None:
    ensure_current(app)
    session.execute(text("update alembic_version set version_num = '0003_queue'"))
    session.commit()
    with pytest.raises(Refused, match="homecoming db upgrade"):
        ensure_current(app)


def test_the_process_is_healthy_even_without_a_database(app: Flask) -> None:
    assert app.test_client().get("/healthz").data == b"ok\n"


def test_it_is_not_ready_while_the_database_is_behind(
    client: FlaskClient, session: Session
) -> None:
    assert client.get("/readyz").status_code == 200
    session.execute(text("update alembic_version set version_num = '0003_queue'"))
    session.commit()
    assert client.get("/readyz").status_code == 503
    session.execute(text("update alembic_version set version_num = 'of-the-future'"))
    session.commit()
    assert client.get("/readyz").status_code == 503


def test_figures_are_for_this_machine_and_for_coordinators(
    client: FlaskClient, make: Make, login_as: Any
) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base=ELSEWHERE).status_code == 404
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    assert client.get("/metrics", headers=through_a_proxy).status_code == 404


def test_a_coordinator_reads_figures_from_anywhere(make: Make, login_as: Any) -> None:
    user = make.user()
    assert login_as(user).get("/metrics", environ_base=ELSEWHERE).status_code == 200


def test_a_viewer_reads_no_figures(make: Make, login_as: Any) -> None:
    browser = login_as(make.user(Role.VIEWER))
    assert browser.get("/metrics", environ_base=ELSEWHERE).status_code == 404


def test_doctor_reports_and_fails_when_something_is_broken(
    runner: Any, session: Session, now: datetime
) -> None:
    well = runner.invoke(args=["doctor", "--json", "--as-of", now.isoformat()])
    report = json.loads(well.stdout.splitlines()[-1])
    names = {check["name"] for check in report["checks"]}
    assert {"database", "migrations", "clock", "worker", "job queue", "mail", "sender"} <= names
    assert (well.exit_code, report["ok"]) == (0, True)
    session.add(Heartbeat(name="clock", at=now - timedelta(hours=3)))
    session.commit()
    ill = runner.invoke(args=["doctor", "--as-of", now.isoformat()])
    assert ill.exit_code == 1
    assert "clock: was last heard of 3 h ago" in ill.stdout
    assert "homecoming serve" in ill.stdout


def test_heartbeats_are_fresh_late_or_never(session: Session, now: datetime) -> None:
    session.add(Heartbeat(name="clock", at=now - timedelta(seconds=30)))
    session.commit()
    assert [c.state for c in check_heartbeats(now)] == ["ok", "warn"]
    assert [c.state for c in check_heartbeats(now + timedelta(minutes=5))] == ["fail", "warn"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {"base address": "warn", "postal address": "warn", "mail": "warn", "sender": "warn"}),
        ({"base_url": "http://alumni.district.org"}, {"base address": "fail"}),
        (
            {"base_url": "https://alumni.district.org", "postal_address": "1 Main Street, Macon"},
            {"base address": "ok", "postal address": "ok"},
        ),
        ({"mail": "smtp", "smtp_url": "smtp://mx:25"}, {"mail": "ok", "sender": "fail"}),
        ({"mail_from": "Us <us@gmail.com>"}, {"sender": "fail"}),
        (
            {"mail_from": "us@district.org", "base_url": "https://x.district.org"},
            {"sender": "ok", "SPF, DKIM, DMARC": "warn", "one-click unsubscribe": "ok"},
        ),
        ({"mail_from": "us@district.org"}, {"one-click unsubscribe": "fail"}),
    ],
)
def test_settings_are_judged(changes: dict[str, str], found: dict[str, str]) -> None:
    settings = Settings.model_validate(changes)
    checks = [*check_settings(settings), *check_mail(settings), *check_sending_domain(settings)]
    states = {check.name: check.state for check in checks}
    assert {name: states[name] for name in found} == found
    assert all(check.advice for check in checks if check.state != "ok")
