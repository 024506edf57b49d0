"""Turns our errors, and everybody's bad input, into pages once for every route.

Nothing that a person, a file or a machine sends may end in a 5xx: what the database cannot hold
(NUL bytes, lone surrogates, numbers beyond its types) is the sender's mistake, answered as such.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, flash, jsonify, redirect, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, StatementError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter

from crm.core.database import db
from crm.core.errors import Conflict, HomecomingError, NotAllowed, NotFound
from crm.core.throttle import TooMany

log = structlog.get_logger(__name__)

STATUSES: dict[type[HomecomingError], int] = {
    NotFound: 404,
    NotAllowed: 403,
    Conflict: 409,
    TooMany: 429,
}
UNPROCESSABLE = 422
BIGGEST_ID = 2**63 - 1
UNREADABLE = lazy_gettext(
    "The address or the form held characters or numbers that cannot be read. Check what was "
    "pasted and try again."
)
TOO_LARGE = lazy_gettext(
    "What you sent is larger than we take: files up to 512 MB, and up to 1 MB in the fields of a "
    "form. Split the file, or import it with the command `homecoming people import`."
)
PLAIN = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Homecoming</title></head>"
    "<body><h1>Something broke on our side</h1><p>It is written down, and nothing you entered was "
    "half saved. Try again in a minute.</p><p lang='es'>Algo falló de nuestro lado. Inténtelo de "
    "nuevo en un minuto.</p><p lang='am'>በእኛ በኩል ችግር ተፈጥሯል። ከአንድ ደቂቃ በኋላ እንደገና ይሞክሩ።</p>"
    "</body></html>"
)


class RowId(IntegerConverter):
    """`<int:id>` as the database knows it: a number beyond a bigint is no page, not a fault."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("max", BIGGEST_ID)
        super().__init__(*args, **options)


def speaks_json() -> bool:
    """Whether a machine is asking, which would rather have JSON than a page."""
    return request.path.startswith("/hooks/")


def page(status: int, message: str = "") -> Response:
    """The answer for a status, with the sentence that says what to do next."""
    db.session.rollback()
    if speaks_json():
        answer = jsonify(error=message or _("That did not work."), status=status)
    else:
        answer = Response(_drawn(status, message), mimetype="text/html")
    answer.status_code = status
    if status == STATUSES[TooMany]:
        answer.headers["Retry-After"] = "600"
    return answer


def _drawn(status: int, message: str) -> str:
    try:
        return render_template("errors/error.html", status=status, message=message)
    except Exception:
        # The page itself needs what broke (the database, say); say it without.
        log.exception("error_page.failed")
        return PLAIN


def way_back() -> str | None:
    """The address of our own page that the form stood on, or None if that is not known."""
    try:
        parts = urlsplit(request.referrer or "")
    except ValueError:
        return None
    ours = parts.scheme in {"http", "https"} and parts.netloc == request.host
    # `//elsewhere` and `/\elsewhere` would be read as another host.
    if not ours or not parts.path.startswith("/") or parts.path[1:2] in {"/", "\\"}:
        return None
    return parts.path + (f"?{parts.query}" if parts.query else "")


def refused(error: HomecomingError) -> Any:
    """A form goes back to its page with the sentence; everything else gets a page of its own."""
    status = next((s for kind, s in STATUSES.items() if isinstance(error, kind)), UNPROCESSABLE)
    if status == UNPROCESSABLE and speaks_json():
        status = 400
    if status in {409, UNPROCESSABLE} and request.method == "POST" and not speaks_json():
        back = way_back()
        if back is not None:
            db.session.rollback()
            flash(str(error), "error")
            return redirect(back, 303)
    return page(status, str(error))


def http_error(error: HTTPException) -> Any:
    """Werkzeug's own refusals, in our words where it has none that help."""
    if error.code is None or error.code < 400:
        return error
    own = {413: str(TOO_LARGE), 400: str(UNREADABLE)}
    silent = error.code in {404, 405} or error.code >= 500
    answer = page(error.code, "" if silent else own.get(error.code, str(error.description or "")))
    if error.code == 405 and getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return answer


def unstorable(error: StatementError) -> Any:
    """A value that no column could hold came from outside: the database refused it unchanged."""
    if isinstance(error, DataError) or isinstance(error.orig, (UnicodeError, OverflowError)):
        log.info("request.unstorable", endpoint=request.endpoint)
        return page(400, str(UNREADABLE))
    return broken(error)


def broken(error: Exception) -> Any:
    """Our own fault: noted with its trace, shown without; tests get the error itself."""
    if current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    log.exception("request.failed", endpoint=request.endpoint)
    return page(500)


def refuse_unreadable() -> Any:
    """An address with NUL bytes means nothing; say so before any route looks at it."""
    values = [request.path, *request.args.keys(), *(v for _k, v in request.args.items(multi=True))]
    return page(400, str(UNREADABLE)) if any("\x00" in value for value in values) else None


def init_app(app: Flask) -> None:
    """Register the mapping from errors to answers."""
    app.url_map.converters["int"] = RowId
    app.before_request(refuse_unreadable)
    app.register_error_handler(HomecomingError, refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(StatementError, unstorable)
    app.register_error_handler(UnicodeError, lambda error: page(400, str(UNREADABLE)))
    app.register_error_handler(
        CSRFError,
        lambda error: page(
            400, _("This page was open for too long. Go back, reload it and try again.")
        ),
    )
    app.register_error_handler(Exception, broken)
