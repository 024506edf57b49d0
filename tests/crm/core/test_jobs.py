"""The queue: jobs go with their transaction, knocks do not pile up, no job dies with a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import URL, text

from crm.core import clock
from crm.core.database import db
from crm.core.extend import PeriodicJob, extensions
from crm.core.jobs import MAX_ATTEMPTS, WorkerThread, jobs
from crm.core.models import Heartbeat
from tests.conftest import settings_for
from wsgi import create_app

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def own(
    make_database: Callable[[], URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """An app on a database of its own, for tests that commit and use several connections."""
    app = create_app(settings_for(make_database(), tmp_path_factory.mktemp("jobs")))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def queue(own: Flask) -> Iterator[Flask]:
    with own.app_context():
        db.session.execute(text("truncate procrastinate_jobs cascade"))
        db.session.execute(text("delete from heartbeat"))
        db.session.commit()
        yield own
        db.session.rollback()
        db.session.remove()


def states() -> dict[str, int]:
    rows = db.session.execute(
        text("select status::text, count(*) from procrastinate_jobs group by status")
    ).all()
    db.session.rollback()
    return dict(rows)  # type: ignore[arg-type]


def work(app: Flask, until: Callable[[], bool]) -> None:
    """Let a worker run until something holds, or for ten seconds."""
    worker = WorkerThread(jobs(app))
    worker.start()
    try:
        wait(until)
    finally:
        assert worker.finish()


def wait(until: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_job_is_queued_if_and_only_if_its_transaction_commits(queue: Flask) -> None:
    jobs(queue).enqueue(db.session(), "test.note", value=1)
    db.session.rollback()
    assert states() == {}
    jobs(queue).enqueue(db.session(), "test.note", value=1)
    db.session.commit()
    assert states() == {"todo": 1}


def test_a_worker_runs_what_was_queued_and_beats(queue: Flask) -> None:
    seen: list[Any] = []
    jobs(queue).register("test.note", lambda value: seen.append(value))
    for value in range(5):
        jobs(queue).enqueue(db.session(), "test.note", value=value)
    db.session.commit()
    work(queue, lambda: len(seen) == 5 and states() == {})
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert db.session.get(Heartbeat, "worker") is not None


def test_two_workers_run_each_job_once(queue: Flask) -> None:
    seen: list[int] = []
    jobs(queue).register("test.note", lambda value: seen.append(value))
    for value in range(40):
        jobs(queue).enqueue(db.session(), "test.note", value=value)
    db.session.commit()
    other = WorkerThread(jobs(queue))
    other.start()
    work(queue, lambda: states() == {})
    assert other.finish()
    assert sorted(seen) == list(range(40))


def test_knocking_twice_leaves_one_waiting_job(queue: Flask) -> None:
    for _ in range(3):
        jobs(queue).knock("test.tick")
    assert states() == {"todo": 1}


def test_a_knock_runs_the_periodic_job(queue: Flask) -> None:
    seen: list[datetime] = []
    extensions(queue).jobs.append(PeriodicJob("test.tick", 60, seen.append))
    jobs(queue).knock("test.tick")
    work(queue, lambda: bool(seen) and states() == {})
    assert seen[0].tzinfo is UTC


def test_a_failing_job_is_logged_and_stops_nothing(
    queue: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []

    def fail() -> None:
        raise ValueError("Ada Mensah ada@mail.example could not be read")

    jobs(queue).register("test.fail", fail)
    jobs(queue).register("test.note", lambda value: seen.append(value))
    jobs(queue).enqueue(db.session(), "test.fail")
    jobs(queue).enqueue(db.session(), "test.note", value=1)
    db.session.commit()
    work(queue, lambda: seen == [1] and states() == {"failed": 1})
    told = capsys.readouterr().err
    assert "job.failed" in told
    assert "ValueError" in told
    assert "Mensah" not in told
    assert "mail.example" not in told


def test_an_unknown_key_is_logged_and_forgotten(
    queue: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs(queue).enqueue(db.session(), "test.nobody")
    db.session.commit()
    work(queue, lambda: states() == {})
    assert "job.unknown" in capsys.readouterr().err


WORKER = """
import sys, time
from pathlib import Path
from crm.core.jobs import WorkerThread, jobs
from crm.core.settings import Settings
from wsgi import create_app
app = create_app(Settings.model_validate_json(sys.argv[1]))
def slow(mark):
    Path(mark).touch()
    time.sleep(60)
jobs(app).register("test.slow", slow)
worker = WorkerThread(jobs(app))
worker.start()
worker.join()
"""


def kill_in_the_midst(queue: Flask, mark: Path) -> None:
    """Run a worker of its own process and kill it once the job has begun."""
    settings = queue.config["SETTINGS"].model_dump_json()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", WORKER, settings], env=environ, cwd=ROOT)
    try:
        wait(mark.exists, 30)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    age = "update procrastinate_workers set last_heartbeat = now() - interval '5 minutes'"
    db.session.execute(text(age))
    db.session.commit()


@pytest.mark.kill
def test_what_a_killed_worker_had_begun_is_done_by_the_next(queue: Flask, tmp_path: Path) -> None:
    mark, seen = tmp_path / "began", list[str]()
    jobs(queue).enqueue(db.session(), "test.slow", mark=str(mark))
    db.session.commit()
    kill_in_the_midst(queue, mark)
    assert states() == {"doing": 1}
    assert jobs(queue).rescue(clock.now()) == 1
    assert states() == {"todo": 1}
    jobs(queue).register("test.slow", lambda mark: seen.append(mark))
    work(queue, lambda: states() == {})
    assert seen == [str(mark)]


def begun(queue: Flask, *, periodic: bool = False, attempts: int = 0) -> None:
    """A job that a worker which is gone had begun."""
    jobs(queue).knock("test.tick") if periodic else jobs(queue).enqueue(db.session(), "test.note")
    update = "update procrastinate_jobs set status = 'doing', attempts = :n, worker_id = null"
    db.session.execute(text(update), {"n": attempts})
    db.session.commit()


def test_a_periodic_job_of_a_dead_worker_is_dropped_as_the_clock_knocks_again(
    queue: Flask,
) -> None:
    begun(queue, periodic=True)
    jobs(queue).knock("test.tick")
    assert jobs(queue).rescue(clock.now()) == 1
    assert states() == {"todo": 1}


def test_a_job_that_takes_its_workers_along_is_given_up(queue: Flask) -> None:
    begun(queue, attempts=MAX_ATTEMPTS)
    jobs(queue).rescue(clock.now())
    assert states() == {"failed": 1}


def test_a_live_worker_keeps_its_job(queue: Flask) -> None:
    begun(queue)
    db.session.execute(text(
        "update procrastinate_jobs set worker_id = (select procrastinate_register_worker_v1())"
    ))  # fmt: skip
    db.session.commit()
    assert jobs(queue).rescue(clock.now()) == 0
    assert states() == {"doing": 1}


def test_long_ended_jobs_are_forgotten(queue: Flask) -> None:
    begun(queue, attempts=MAX_ATTEMPTS)
    jobs(queue).rescue(clock.now())
    age = "update procrastinate_events set at = now() - interval '8 days'"
    db.session.execute(text(age))
    db.session.commit()
    jobs(queue).rescue(clock.now())
    assert states() == {}


def test_a_worker_outlives_a_lost_database_connection(queue: Flask) -> None:
    seen: list[int] = []
    jobs(queue).register("test.note", lambda value: seen.append(value))
    worker = WorkerThread(jobs(queue))
    worker.start()
    wait(lambda: db.session.get(Heartbeat, "worker", populate_existing=True) is not None)
    db.session.execute(text(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    ))  # fmt: skip
    db.session.commit()
    jobs(queue).enqueue(db.session(), "test.note", value=1)
    db.session.commit()
    wait(lambda: seen == [1], 30)
    assert worker.finish()


def test_the_clock_knocks_at_once_and_beats(queue: Flask) -> None:
    scheduler = jobs(queue).scheduler()
    scheduler.start()
    try:
        wait(lambda: db.session.get(Heartbeat, "clock", populate_existing=True) is not None)
        wait(lambda: states().get("todo", 0) >= len(extensions(queue).jobs) + 1)
    finally:
        scheduler.shutdown()


def test_a_stopped_worker_takes_no_job(queue: Flask) -> None:
    async def at_once() -> None:
        stop = asyncio.Event()
        stop.set()
        await jobs(queue).work(stop)

    jobs(queue).enqueue(db.session(), "test.note", value=1)
    db.session.commit()
    asyncio.run(at_once())
    assert states() == {"todo": 1}
