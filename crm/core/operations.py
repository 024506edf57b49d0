"""The commands that run the program: all in one (`serve`), or web, worker and clock apart."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import click
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask, current_app
from flask.cli import with_appcontext
from waitress.server import create_server

from crm.core import clock
from crm.core.cli import Moment, say, show
from crm.core.database import db
from crm.core.doctor import findings
from crm.core.errors import HomecomingError, Refused
from crm.core.jobs import WorkerThread, jobs
from crm.core.migrations import ensure_current

log = structlog.get_logger(__name__)
THREADS = 8
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """Somebody asked the program to end."""


@dataclass
class Running:
    """The parts of the program that run in this process."""

    app: Flask
    server: Any = None
    worker: WorkerThread | None = None
    clock: BackgroundScheduler | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self, *, worker: bool, clock: bool) -> None:
        """Start the worker and the clock asked for."""
        if worker:
            self.worker = WorkerThread(jobs(self.app))
            self.worker.start()
        if clock:
            self.clock = jobs(self.app).scheduler()
            self.clock.start()

    def wait(self) -> None:
        """Serve pages, or nothing, until a signal comes."""
        for number in SIGNALS:
            signal.signal(number, self._end)
        with suppress(Ended, KeyboardInterrupt):
            if self.server is None:
                self.ended.wait()
            else:
                self.server.run()

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        raise Ended(0)

    def stop(self) -> None:
        """End every part within seconds; what a job had begun is rolled back and due again."""
        done = True
        if self.server is not None:
            self.server.close()
        if self.clock is not None:
            self.clock.shutdown(wait=False)
        if self.worker is not None:
            done = self.worker.finish()
        with self.app.app_context():
            db.engine.dispose()
        embedded = self.app.extensions["homecoming.server"]
        if embedded is not None:
            embedded.release()
        if not done:
            # A thread that still works would keep the process alive for as long as it likes.
            log.warning("worker.cut_off")
            sys.stdout.flush()
            os._exit(0)


def base_address(app: Flask, host: str, port: int) -> str:
    """The address of the pages; where no base address is set, mailed links begin with it too."""
    settings = app.config["SETTINGS"]
    if "base_url" not in settings.model_fields_set:
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
        shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
        settings = settings.model_copy(update={"base_url": f"http://{shown}:{port}"})
        app.config["SETTINGS"] = settings
    return str(settings.base_url)


def run(
    app: Flask,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    web: bool = False,
    worker: bool = False,
    clock: bool = False,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Run parts of the program in this process until Ctrl-C or SIGTERM; leaves nothing behind.

    `announce` is called with the address once it can be opened. Raises `Refused` for a port that is
    taken and for a database that lacks migrations.
    """
    running = Running(app)
    address = base_address(app, host, port)
    try:
        with app.app_context():
            ensure_current(app)
        if web:
            running.server = listen(app, host, port)
        running.start(worker=worker, clock=clock)
        if announce:
            announce(address)
        running.wait()
    finally:
        running.stop()


def listen(app: Flask, host: str, port: int) -> Any:
    """A web server bound to its port; raises `Refused` where it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Bound here: waitress leaves its socket open when the port is taken.
        bound = socket.create_server((host.strip("[]"), port), family=family)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        problem = f"Cannot listen on {host} port {port}: {reason}. Try another --port."
        raise Refused([problem]) from error
    return create_server(
        app,
        sockets=[bound],
        threads=THREADS,
        ident=None,
        # ProxyFix reads these headers for as many proxies as are trusted, and no more; that they
        # are there at all tells /metrics that the request came from elsewhere.
        clear_untrusted_proxy_headers=False,
        max_request_body_size=app.config["MAX_CONTENT_LENGTH"],
    )


def _run(**parts: Any) -> None:
    # What is there by now stays: looking through all of it for garbage stops every page.
    gc.collect()
    gc.freeze()
    try:
        run(current_app._get_current_object(), **parts)  # type: ignore[attr-defined]
    except HomecomingError as error:
        raise click.ClickException(str(error)) from error


host_option = click.option("--host", default="127.0.0.1", show_default=True)
port_option = click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))


@click.command()
@host_option
@port_option
@with_appcontext
def serve(host: str, port: int) -> None:
    """Run web, worker and clock together until Ctrl-C."""
    _run(host=host, port=port, web=True, worker=True, clock=True, announce=_tell)


@click.command()
@host_option
@port_option
@with_appcontext
def web(host: str, port: int) -> None:
    """Serve the pages; run `worker` and `clock` beside it."""
    _run(host=host, port=port, web=True, announce=_tell)


@click.command()
@with_appcontext
def worker() -> None:
    """Carry out queued work; as many at once as you like."""
    _run(worker=True, announce=lambda _: say("The worker waits for jobs. Ctrl-C ends it."))


@click.command("clock")
@with_appcontext
def clock_command() -> None:
    """Knock when work is due; a second clock does no harm."""
    _run(clock=True, announce=lambda _: say("The clock ticks. Ctrl-C ends it."))


def _tell(address: str) -> None:
    click.echo(f"Homecoming is open at {address}")
    say("Ctrl-C ends it.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
@click.option("--as-of", type=Moment(), help="The moment to work at, instead of now.")
@with_appcontext
def doctor(as_json: bool, as_of: Any) -> None:
    """Check settings, database, mail, clock, worker and the sending domain."""
    found = findings(current_app._get_current_object(), as_of or clock.now())  # type: ignore[attr-defined]
    failed = sum(check.state == "fail" for check in found)
    if as_json:
        checks = [vars(check) for check in found]
        show({"ok": not failed, "failed": failed, "checks": checks}, as_json=True)
    else:
        for check in found:
            click.echo(f"{check.state.upper():4}  {check.name}: {check.detail}")
            if check.state != "ok" and check.advice:
                click.echo(f"      → {check.advice}")
    sys.exit(1 if failed else 0)


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (serve, web, worker, clock_command, doctor):
        app.cli.add_command(command)
