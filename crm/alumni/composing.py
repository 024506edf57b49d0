"""What helps somebody to put a query together: what may come next, and whom it finds so far."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, render_template, request

from crm.accounts.access import current_viewer, requires
from crm.alumni.search import compose
from crm.core import clock
from crm.core.database import db
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.query.completion import complete

bp = Blueprint("composing", __name__, url_prefix="/people")


def here() -> QueryContext:
    """Queries of this request: its viewer, its moment."""
    return QueryContext(db.session(), current_viewer(), clock.now())


@bp.get("/complete")
@requires(Permission.PEOPLE_VIEW)
def completion() -> dict[str, Any]:
    """Fields or values that may stand where the caret does (`at`, a character of `q`), as JSON."""
    text = request.args.get("q", "")
    caret = request.args.get("at", type=int)
    found = complete(text, len(text) if caret is None else caret, here())
    return asdict(found)


@bp.get("/preview")
@requires(Permission.PEOPLE_VIEW)
def preview() -> str:
    """Whom a query means in words, how many they are, and the first few; or what is wrong."""
    text = request.args.get("q", "")
    return render_template("crm/alumni/_preview.html", found=compose(text, here()))
