"""One queue and one clock: Procrastinate carries the work, APScheduler only knocks.

Rows in the database are the truth about what is due, so that a lost or doubled knock does no harm.
Every queued job is `(key, arguments)` looked up among the app's registered jobs and tasks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import procrastinate
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from procrastinate import exceptions
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.core.extend import extensions
from crm.core.models import Heartbeat

log = structlog.get_logger(__name__)
Task = Callable[..., object]


class Jobs:
    """The queue of one app: `enqueue` in a transaction, `work` until told to stop, `knock` on time."""

    def __init__(self, app: Flask, address: Callable[[], str]) -> None:
        self.app = app
        self.address = address
        self.tasks: dict[str, Task] = {}
        self.queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        self._run = self.queue.task(name="homecoming.run", queue="homecoming")(self.run)

    def register(self, key: str, task: Task) -> None:
        """Make `task` known under `key`; it runs in an app context and commits its own work."""
        self.tasks[key] = task

    def run(self, key: str, arguments: dict[str, Any]) -> None:
        """Run a registered task, or the periodic job of that key, once."""
        with self.app.app_context():
            try:
                if key in self.tasks:
                    self.tasks[key](**arguments)
                else:
                    self._run_periodic(key)
            except Exception:
                # The edge of the program: a failed job is logged and left to the next knock.
                db.session.rollback()
                log.exception("job.failed", job=key)
                raise
            finally:
                db.session.remove()

    def _run_periodic(self, key: str) -> None:
        for job in extensions().jobs:
            if job.key == key:
                job.run(clock.now())
                return
        log.warning("job.unknown", job=key)

    def enqueue(self, session: Session, key: str, **arguments: Any) -> None:
        """Queue a task in the session's own transaction: it runs if, and once, that commits."""
        connection = session.connection().connection.driver_connection
        deferrer = self._run.configure(connection=connection)
        deferrer.defer(key=key, arguments=arguments)

    async def work(self, stop: asyncio.Event, *, concurrency: int = 2) -> None:
        """Take jobs until `stop` is set, beating every few seconds."""
        connector = procrastinate.PsycopgConnector(conninfo=self.address(), min_size=1, max_size=4)
        async with self.queue.with_connector(connector).open_async() as queue:
            worker = asyncio.create_task(
                queue.run_worker_async(
                    queues=["homecoming"],
                    concurrency=concurrency,
                    wait=True,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=20,
                )
            )
            beat = asyncio.create_task(self._beats("worker"))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
            beat.cancel()
            worker.cancel()
            await asyncio.gather(worker, beat, stopped, return_exceptions=True)

    async def _beats(self, name: str) -> None:
        while True:
            await asyncio.to_thread(self.beat, name)
            await asyncio.sleep(10)

    def beat(self, name: str) -> None:
        """Note that a clock or worker lives."""
        with self.app.app_context():
            moment = clock.now()
            statement = insert(Heartbeat).values(name=name, at=moment, detail="")
            statement = statement.on_conflict_do_update(
                index_elements=[Heartbeat.name], set_={"at": moment}
            )
            db.session.execute(statement)
            db.session.commit()
            db.session.remove()

    def knock(self, key: str) -> None:
        """Ask for one run of a periodic job, unless one is already waiting."""
        with self.app.app_context():
            try:
                connection = db.session.connection().connection.driver_connection
                self._run.configure(connection=connection, queueing_lock=key).defer(
                    key=key, arguments={}
                )
                db.session.commit()
            except exceptions.AlreadyEnqueued:
                db.session.rollback()
            finally:
                db.session.remove()

    def scheduler(self) -> BackgroundScheduler:
        """A clock, not yet started, that knocks for every periodic job and beats."""
        scheduler = BackgroundScheduler(timezone="UTC")
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        for job in extensions(self.app).jobs:
            scheduler.add_job(
                self.knock, "interval", seconds=job.every_seconds, args=[job.key], **options
            )
        scheduler.add_job(self.beat, "interval", seconds=10, args=["clock"], **options)
        return scheduler


class WorkerThread(threading.Thread):
    """A worker beside the web server in one process (`serve`)."""

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(name="worker", daemon=True)
        self.jobs = jobs
        self.loop = asyncio.new_event_loop()
        self.stop = asyncio.Event()

    def run(self) -> None:
        """Work until `finish` is called."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.jobs.work(self.stop))

    def finish(self, timeout: float = 25) -> None:
        """Ask the worker to end what it does and wait for it."""
        self.loop.call_soon_threadsafe(self.stop.set)
        self.join(timeout)


def jobs(app: Flask) -> Jobs:
    """The queue of the given app."""
    found = app.extensions["homecoming.jobs"]
    if not isinstance(found, Jobs):
        raise TypeError("the app has no job queue")
    return found
