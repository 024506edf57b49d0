"""Turns our errors into pages, once, for every route."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, flash, redirect, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from crm.core.database import db
from crm.core.errors import Conflict, HomecomingError, NotAllowed, NotFound

log = structlog.get_logger(__name__)


def page(status: int, message: str = "") -> tuple[str, int]:
    """The error page for a status, with the sentence that says what to do next."""
    db.session.rollback()
    return render_template("errors/error.html", status=status, message=message), status


def init_app(app: Flask) -> None:
    """Register the mapping from errors to answers."""

    @app.errorhandler(HomecomingError)
    def refused(error: HomecomingError) -> Any:
        statuses = {NotFound: 404, NotAllowed: 403, Conflict: 409}
        status = next((s for kind, s in statuses.items() if isinstance(error, kind)), 422)
        # A form elsewhere led here: take the reader back to it with the sentence.
        if status in {409, 422} and request.method == "POST" and request.referrer:
            if request.referrer.startswith(request.host_url):
                db.session.rollback()
                flash(str(error), "error")
                return redirect(request.referrer, 303)
        return page(status, str(error))

    @app.errorhandler(CSRFError)
    def stale_form(error: CSRFError) -> Any:
        return page(400, "This page was open for too long. Go back, reload it and try again.")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Any:
        if error.code is None or error.code < 400:
            return error
        return page(
            error.code, "" if error.code in {404, 405, 500} else str(error.description or "")
        )

    @app.errorhandler(UnicodeError)
    def unreadable(error: UnicodeError) -> Any:
        return page(400, "The address or form held characters that cannot be read.")

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Any:
        if app.config.get("PROPAGATE_EXCEPTIONS"):
            raise error
        log.exception("request.failed", endpoint=request.endpoint)
        return page(500)
