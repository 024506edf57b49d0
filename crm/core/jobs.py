"""One queue and one clock: Procrastinate carries the work, APScheduler only knocks.

Rows in the database are the truth about what is due, so that a lost or doubled knock does no harm.
Every queued job is `(key, arguments)` looked up among the app's registered jobs and tasks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import procrastinate
import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from procrastinate import exceptions
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.core.extend import PeriodicJob, extensions
from crm.core.models import Heartbeat

log = structlog.get_logger(__name__)
Task = Callable[..., object]

QUEUE = "homecoming"
RESCUE = "queue.rescue"
GRACE = 5  # seconds that running jobs get to end when the worker is told to stop
PAUSE = 2  # seconds before a worker that lost its database tries again
MAX_ATTEMPTS = 3

LOST = """
select j.id, j.queueing_lock is not null as periodic, j.attempts from procrastinate_jobs j
where j.status = 'doing' and j.queue_name = :queue and not exists (
    select from procrastinate_workers w
    where w.id = j.worker_id and w.last_heartbeat > now() - interval '60 seconds')
for update of j skip locked
"""
RETRY = "select procrastinate_retry_job_v2(:id, now(), null, null, null)"
END = "select procrastinate_finish_job_v1(:id, 'failed', :drop)"
FORGET = """
delete from procrastinate_jobs j
where j.queue_name = :queue and j.status not in ('todo', 'doing') and not exists (
    select from procrastinate_events e where e.job_id = j.id and e.at > now() - interval '7 days')
"""


class Jobs:
    """The queue of one app: `enqueue` in a transaction, `work` until stopped, `knock` on time."""

    def __init__(self, app: Flask, address: Callable[[], str]) -> None:
        self.app = app
        self.address = address
        self.tasks: dict[str, Task] = {}
        self.queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        self._run = self.queue.task(name="homecoming.run", queue=QUEUE)(self.run)

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
        if key == RESCUE:
            self.rescue(clock.now())
            return
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
        """Take jobs until `stop` is set, beating every few seconds; outlives a lost database."""
        while not stop.is_set():
            try:
                await self._work(stop, concurrency)
            except (exceptions.ProcrastinateException, psycopg.Error, OSError):
                log.warning("worker.interrupted", exc_info=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)

    async def _work(self, stop: asyncio.Event, concurrency: int) -> None:
        address = await asyncio.to_thread(self.address)
        connector = procrastinate.PsycopgConnector(conninfo=address, min_size=1, max_size=4)
        async with self.queue.with_connector(connector).open_async() as queue:
            worker = asyncio.create_task(
                queue.run_worker_async(
                    queues=[QUEUE],
                    concurrency=concurrency,
                    wait=True,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=GRACE,
                )
            )
            beat = asyncio.create_task(self._beats("worker"))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (beat, stopped, worker):
                task.cancel()
            # A job that outlives the grace dies with the process: its rows decide what is due.
            done, _ = await asyncio.wait({worker}, timeout=GRACE + 1)
            for task in done:
                if not task.cancelled() and (error := task.exception()):
                    raise error

    async def _beats(self, name: str) -> None:
        while True:
            try:
                await asyncio.to_thread(self.beat, name)
            except SQLAlchemyError:
                log.warning("heartbeat.failed", name_of=name, exc_info=True)
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

    def rescue(self, moment: datetime) -> int:
        """Queue again what a dead worker had begun, and forget what ended long ago.

        Periodic jobs are simply dropped, as the clock knocks again. A task that took its worker
        along three times is given up. Whether a worker lives is asked of the database's own clock.
        """
        lost = db.session.execute(text(LOST), {"queue": QUEUE}).all()
        for job_id, periodic, attempts in lost:
            statement = RETRY if attempts < MAX_ATTEMPTS and not periodic else END
            values = {"id": job_id} | ({} if statement is RETRY else {"drop": periodic})
            db.session.execute(text(statement), values)
            log.warning("job.lost", job_id=job_id, again=statement is RETRY)
        db.session.execute(text(FORGET), {"queue": QUEUE})
        db.session.commit()
        return len(lost)

    def scheduler(self) -> BackgroundScheduler:
        """A clock, not yet started, that knocks for every periodic job (at once, too) and beats."""
        scheduler = BackgroundScheduler(timezone="UTC")
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        soon = clock.now() + timedelta(seconds=1)
        for job in (*extensions(self.app).jobs, PeriodicJob(RESCUE, 60, self.rescue)):
            scheduler.add_job(
                self.knock, "interval", seconds=job.every_seconds, args=[job.key],
                next_run_time=soon, **options,
            )  # fmt: skip
        scheduler.add_job(
            self.beat, "interval", seconds=10, args=["clock"], next_run_time=soon, **options
        )
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

    def finish(self, timeout: float = GRACE + 3) -> bool:
        """Ask the worker to end what it does and wait for it; whether it ended in time."""
        if self.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
            self.join(timeout)
        return not self.is_alive()


def jobs(app: Flask) -> Jobs:
    """The queue of the given app."""
    found = app.extensions["homecoming.jobs"]
    if not isinstance(found, Jobs):
        raise TypeError("the app has no job queue")
    return found
