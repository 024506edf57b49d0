"""The pages on which somebody decides whether two records are one person."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm.accounts.access import current_viewer, requires
from crm.accounts.looks import saw
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission
from crm.duplicates import learning, merging, queries, review
from crm.duplicates.models import DuplicatePair
from crm.duplicates.words import FIELDS, REASONS, WHY_TWO
from crm.web import charts

bp = Blueprint("duplicates", __name__, url_prefix="/duplicates")


@bp.get("")
@requires(Permission.IMPORT)
def index() -> str:
    """The pairs that wait, the likeliest first, and the latest merges with a way back."""
    session = db.session()
    line, view = learning.learnt(session), _view()
    condition = queries.shown(line.threshold, **view)
    page = queries.pairs_page(session, condition, after=request.args.get("after"))
    return render_template(
        "crm/duplicates/index.html", page=page, view=view, line=line, reasons=REASONS,
        chart=_chart(line), merges=queries.recent_merges(session), last=queries.last_pass(session),
        merged=queries.standing_merge(session, request.args.get("merged", type=int)),
        enough=learning.ENOUGH, target=learning.TARGET, linked=_linked(view),
    )  # fmt: skip


@bp.get("/<int:first_id>/<int:second_id>")
@requires(Permission.IMPORT)
def pair(first_id: int, second_id: int) -> str:
    """Both records field by field, what would follow, and the three answers."""
    session, view = db.session(), _view()
    found = queries.load_pair(session, first_id, second_id)
    saw("duplicates", [first_id, second_id])
    following = queries.following(session, found, _condition(session, view))
    return render_template(
        "crm/duplicates/pair.html", pair=found, rows=review.rows_of(session, found),
        names=[row.full_name for row in queries.both(session, found)], prefix=review.PREFIX,
        follows=review.what_follows(session, found), reasons=REASONS, why=WHY_TWO,
        skip=_address(following, view), view=view, linked=_linked(view),
        merged=queries.standing_merge(session, request.args.get("merged", type=int)),
    )  # fmt: skip


@bp.post("/<int:first_id>/<int:second_id>/merge")
@requires(Permission.IMPORT)
def merge(first_id: int, second_id: int) -> Any:
    """They are one person; the first record stays, or with `keep=second` the other."""
    session, view = db.session(), _view()
    found = queries.load_pair(session, first_id, second_id)
    following = queries.following(session, found, _condition(session, view))
    ids = (first_id, second_id)
    keep = "second" if request.form.get("keep") == "second" else "first"
    kept, gone = reversed(ids) if keep == "second" else ids
    done = merging.merge(
        session, kept, gone, at=clock.now(), by=current_viewer(),
        take=review.chosen(request.form, keep),
    )  # fmt: skip
    session.commit()
    return redirect(_address(following, view, merged=done.id), 303)


@bp.post("/<int:first_id>/<int:second_id>/different")
@requires(Permission.IMPORT)
def different(first_id: int, second_id: int) -> Any:
    """They are two people, and not proposed again."""
    session, view = db.session(), _view()
    found = queries.load_pair(session, first_id, second_id)
    following = queries.following(session, found, _condition(session, view))
    why = request.form.get("why", "")
    merging.dismiss(
        session, first_id, second_id, at=clock.now(), by=current_viewer(),
        note=why if why in WHY_TWO else "",
    )  # fmt: skip
    session.commit()
    flash(_("Noted as two people; they are not proposed again."))
    return redirect(_address(following, view), 303)


@bp.post("/merges/<int:merge_id>/undo")
@requires(Permission.IMPORT)
def undo(merge_id: int) -> Any:
    """Take a merge back."""
    session = db.session()
    standing = queries.standing_merge(session, merge_id)
    stays = merging.edited_since(session, standing) if standing else []
    done = merging.unmerge(session, merge_id, at=clock.now(), by=current_viewer())
    session.commit()
    flash(_("The merge is taken back: both records are as they were."))
    if stays:
        words = ", ".join(str(FIELDS.get(name, name)) for name in stays)
        flash(_("Changed since, and therefore left as it is: %(fields)s.", fields=words), "warning")
    for sentence in merging.warnings(session, current_viewer(), done):
        flash(sentence, "warning")
    return redirect(url_for("people.detail", alumnus_id=done.kept_id), 303)


def _view() -> dict[str, Any]:
    """Which list the reader works through."""
    return {"less": request.args.get("less") == "1",
            "import_id": request.args.get("import", type=int)}  # fmt: skip


def _linked(view: dict[str, Any]) -> dict[str, Any]:
    """The same as arguments of an address."""
    found: dict[str, Any] = {"less": "1"} if view["less"] else {}
    return {**found, **({"import": view["import_id"]} if view["import_id"] else {})}


def _condition(session: Session, view: dict[str, Any]) -> ColumnElement[bool]:
    return queries.shown(learning.learnt(session).threshold, **view)


def _address(found: DuplicatePair | None, view: dict[str, Any], **more: Any) -> str:
    """Where the reader goes next: to a pair, or back to the list."""
    if found is None:
        return url_for("duplicates.index", **_linked(view), **more)
    return url_for(
        "duplicates.pair", first_id=found.first_id, second_id=found.second_id, **_linked(view),
        **more,
    )  # fmt: skip


def _chart(line: learning.Learnt) -> Any:
    """What was decided, by how likely it had looked."""
    rows = [(f"{step.low:.2f}", step.merged, step.decided) for step in reversed(line.steps)]
    return charts.bars(
        "decisions", _("Decided to be one person, by the chance it had"),
        [(_("from %(low)s: %(merged)s of %(all)s", low=low, merged=merged, all=decided), merged)
         for low, merged, decided in rows],
    )  # fmt: skip
