"""The page on which somebody decides whether two records are one person."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission
from crm.duplicates import merging, queries
from crm.duplicates.words import FIELDS, REASONS

bp = Blueprint("duplicates", __name__, url_prefix="/duplicates")


@bp.get("")
@requires(Permission.IMPORT)
def index() -> str:
    """Open pairs side by side, and the latest merges with a way back."""
    session = db.session()
    page = queries.pairs_page(session, after=request.args.get("after"))
    pairs = [queries.side_by_side(session, row.DuplicatePair) for row in page.items]
    return render_template(
        "crm/duplicates/index.html", page=page, pairs=pairs, reasons=REASONS, fields=FIELDS,
        merges=queries.recent_merges(session),
    )  # fmt: skip


@bp.post("/<int:first_id>/<int:second_id>/merge")
@requires(Permission.IMPORT)
def merge(first_id: int, second_id: int) -> Any:
    """They are one person; the first record stays, or with `keep=second` the other."""
    session = db.session()
    queries.load_pair(session, first_id, second_id)
    ids = (first_id, second_id)
    kept, gone = reversed(ids) if request.form.get("keep") == "second" else ids
    merging.merge(session, kept, gone, at=clock.now(), by=current_viewer())
    session.commit()
    return redirect(url_for("duplicates.index"), 303)


@bp.post("/<int:first_id>/<int:second_id>/different")
@requires(Permission.IMPORT)
def different(first_id: int, second_id: int) -> Any:
    """They are two people, and not proposed again."""
    session = db.session()
    queries.load_pair(session, first_id, second_id)
    merging.dismiss(session, first_id, second_id, at=clock.now(), by=current_viewer())
    session.commit()
    return redirect(url_for("duplicates.index"), 303)


@bp.post("/merges/<int:merge_id>/undo")
@requires(Permission.IMPORT)
def undo(merge_id: int) -> Any:
    """Take a merge back."""
    merging.unmerge(db.session(), merge_id, at=clock.now(), by=current_viewer())
    db.session.commit()
    return redirect(url_for("duplicates.index"), 303)
