"""Where reports are found: a list of those that the areas registered."""

from __future__ import annotations

from flask import Blueprint, render_template

from crm.accounts.access import current_viewer, requires
from crm.core.extend import extensions
from crm.core.viewer import Permission

bp = Blueprint("reports", __name__, url_prefix="/reports")


@bp.get("")
@requires(Permission.HOME)
def index() -> str:
    """The reports that this viewer may open."""
    viewer = current_viewer()
    known = sorted(extensions().reports, key=lambda one: one.order)
    return render_template(
        "crm/home/reports.html", reports=[one for one in known if viewer.may(one.permission)]
    )
