"""What machines ask: does the process live, is it ready, how does it fare."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from crm.accounts.access import public
from crm.accounts.sessions import current_viewer_or_none
from crm.core import clock
from crm.core.database import db
from crm.core.embedded import EmbeddedServerError
from crm.core.errors import Refused
from crm.core.metrics import exposition
from crm.core.migrations import pending
from crm.core.viewer import Permission

bp = Blueprint("probes", __name__)


@bp.get("/healthz")
@public
def healthz() -> Any:
    """Whether this process answers; asks nobody else."""
    return plain("ok\n", 200)


@bp.get("/readyz")
@public
def readyz() -> Any:
    """Whether it can serve: the database answers and has every migration."""
    try:
        missing = pending(app())
    except (SQLAlchemyError, EmbeddedServerError, Refused):
        return plain("the database does not answer as it should\n", 503)
    if missing:
        return plain(f"{len(missing)} migrations are missing\n", 503)
    return plain("ready\n", 200)


@bp.get("/metrics")
@public
def metrics() -> Any:
    """Figures for this machine's own collector, and for coordinators."""
    viewer = current_viewer_or_none()
    if not from_here() and not (viewer and viewer.may(Permission.SETTINGS)):
        abort(404)
    text = exposition(app(), db.session(), clock.now())
    db.session.rollback()
    return Response(text, mimetype="text/plain", headers={"X-Robots-Tag": "noindex"})


def from_here() -> bool:
    """Whether the request comes from this machine, and not through a proxy of it."""
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        here = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        here = False
    return here and not forwarded


def plain(text: str, status: int) -> Response:
    """A short answer for a machine."""
    return Response(text, status=status, mimetype="text/plain")


def app() -> Any:
    """The app behind the request."""
    return current_app._get_current_object()  # type: ignore[attr-defined]
