"""Structured logs: events with fields, never a name, an address, a token or a body."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any, TextIO

import psycopg
import structlog
from flask import Flask, Response, g, request

from crm.core.settings import Settings

# A field of one of these names is dropped wherever it comes from (trust: logs without people).
PRIVATE = frozenset(
    {"name", "email", "address", "phone", "token", "body", "subject", "url", "query"}
)
OURS = ("crm", "segments", "lifecycle", "demo")
# python_http_client writes the Authorization header and every payload at DEBUG; werkzeug's own
# server writes every path, tokens included, at INFO.
LOUD = ("python_http_client", "apscheduler", "procrastinate", "waitress", "werkzeug")
# What these say is about the program, not about a person.
TELLING = (OSError, AttributeError, NameError, ImportError, TypeError, psycopg.OperationalError)
ADDRESS = re.compile(r"[^\s@<>\"'()\[\],:;=/]+@[^\s@<>\"'()\[\],:;=/]+")
LINK = re.compile(r"(/(?:me|ask|event|unsubscribe|link|join/confirm)/)[^\s/?\"'<>]+")
SECRET = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{28,}(?:\.[\w-]{20,})?")
UNLOGGED = frozenset({"static", "bootstrap.static", "probes.healthz", "probes.readyz"})

log = structlog.get_logger(__name__)


def mask(text: str) -> str:
    """The text without mail addresses, mailed links and anything that looks like a token."""
    return SECRET.sub("[token]", LINK.sub(r"\1[token]", ADDRESS.sub("[address]", text)))


def drop_private(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove fields that could carry a person, and mask what other texts could hold."""
    return {
        key: mask(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
        if key not in PRIVATE
    }


def describe_exception(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Tell where an error arose and of what kind it is; its words may hold a person's data."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(describe(error))
    return event


def describe(error: BaseException) -> Iterator[str]:
    """Lines about an error and what led to it: frames, kind, and words only of telling kinds."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from describe(before)
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
    words = type(error).__qualname__
    if isinstance(error, psycopg.Error) and error.sqlstate:
        words += f" {error.sqlstate} {error.diag.constraint_name or ''}".rstrip()
    elif isinstance(error, TELLING):
        words += f": {mask(str(error).splitlines()[0] if str(error) else '')}"
    yield words


class Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Where to write."""
        return sys.stderr


def not_a_failed_job(record: logging.LogRecord) -> bool:
    """Failed jobs are logged by `crm.core.jobs`, without the arguments that the queue adds."""
    return getattr(record, "action", "") != "job_error"


def configure_logging(settings: Settings) -> None:
    """Log to stderr in the chosen form, our own events and the libraries' alike."""
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    level = logging.WARNING if settings.log == "quiet" else logging.INFO
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                drop_private,
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, Stderr)] + [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("procrastinate.worker").addFilter(not_a_failed_job)


def log_requests(app: Flask) -> None:
    """One line a request: what was called, how it ended, how long it took; never the address."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def note(response: Response) -> Response:
        if request.endpoint not in UNLOGGED and "started" in g:
            log.info(
                "request",
                endpoint=request.endpoint or "none",
                method=request.method,
                status=response.status_code,
                ms=round((time.perf_counter() - g.started) * 1000),
            )
        return response
