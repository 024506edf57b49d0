"""Structured logs: events with fields, never a name, an address, a token or a body."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from crm.core.settings import Settings

# A field of one of these names is dropped wherever it comes from (trust: logs without people).
PRIVATE = frozenset(
    {"name", "email", "address", "phone", "token", "body", "subject", "url", "query"}
)


def drop_private(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove fields that could carry a person."""
    return {key: value for key, value in event.items() if key not in PRIVATE}


def configure_logging(settings: Settings) -> None:
    """Log to stderr in the chosen form; loud libraries are kept above DEBUG."""
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log != "json":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    level = logging.WARNING if settings.log == "quiet" else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            drop_private,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # python_http_client writes the Authorization header and every payload at DEBUG.
    for loud in ("python_http_client", "apscheduler", "procrastinate", "waitress"):
        logging.getLogger(loud).setLevel(logging.WARNING)
