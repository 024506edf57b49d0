"""What helps somebody to put a query together: what may come next, and whom it finds so far."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request, url_for

from crm.accounts.access import current_viewer, reads, requires
from crm.accounts.routes import same_site
from crm.alumni.building import board_from, board_of, pressed, text_of, views
from crm.alumni.search import compose
from crm.core import clock
from crm.core.database import db
from crm.core.extend import QueryContext, extensions
from crm.core.viewer import Permission
from crm.query.completion import complete

bp = Blueprint("composing", __name__, url_prefix="/people")


def here() -> QueryContext:
    """Queries of this request: its viewer, its moment."""
    return QueryContext(db.session(), current_viewer(), clock.now())


@bp.get("/complete")
@reads
@requires(Permission.PEOPLE_VIEW)
def completion() -> dict[str, Any]:
    """Fields or values that may stand where the caret does (`at`, a character of `q`), as JSON."""
    text = request.args.get("q", "")
    caret = request.args.get("at", type=int)
    found = complete(text, len(text) if caret is None else caret, here())
    return asdict(found)


@bp.get("/preview")
@reads
@requires(Permission.PEOPLE_VIEW)
def preview() -> str:
    """Whom a query means in words, how many they are, and the first few; or what is wrong."""
    text = request.args.get("q", "")
    to = same_site(request.args.get("to")).rstrip("/")
    return render_template("crm/alumni/_preview.html", found=compose(text, here()), to=to)


@bp.get("/build")
@requires(Permission.PEOPLE_VIEW)
def build() -> Any:
    """A form that reads a query (`q`), follows its buttons (`do`) and writes the query back.

    `to` is the page of this site that gets the query in the end; without one, the list of people.
    """
    context, arguments = here(), request.args
    to = same_site(arguments.get("to")).rstrip("/")
    if "match" in arguments:
        board = pressed(board_from(arguments), arguments.get("do", ""))
    else:
        board = board_of(arguments.get("q", ""), context)
    text = text_of(board)
    if arguments.get("do") == "use":
        place = to or url_for("people.index")
        return redirect(f"{place}{'&' if '?' in place else '?'}{urlencode({'q': text})}")
    rows = [(key, rows.label) for key, rows in extensions().query_rows.items()]
    return render_template(
        "crm/alumni/build.html", board=board, groups=views(board, context.session), rows=rows,
        found=compose(text, context), to=to,
    )  # fmt: skip
