"""What areas above add to a request: blocks on its page, and what follows when it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm.core.extend import Panel
from crm.core.viewer import Viewer
from segments.requests.models import Request

KEY = "homecoming.requests"


@dataclass
class RequestExtensions:
    """`panels` are loaded with `(viewer, request, at)`; `cancelled` run in the same transaction.

    `visit_ends` says, correlated on `Request`, when the last promised visit is over.
    """

    panels: list[Panel] = field(default_factory=list)
    cancelled: list[Callable[[Session, Request, Viewer, datetime], None]] = field(
        default_factory=list
    )
    visit_ends: ColumnElement[Any] | None = None


def request_extensions(app: Flask | None = None) -> RequestExtensions:
    """The registry of the given app, or of the current one."""
    holder = app.extensions if app is not None else current_app.extensions
    return cast(RequestExtensions, holder.setdefault(KEY, RequestExtensions()))
