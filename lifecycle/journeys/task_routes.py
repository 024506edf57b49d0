"""The pages of the tasks that journeys give to staff."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict
from crm.core.viewer import Permission
from lifecycle.journeys import tasks as given
from lifecycle.journeys.routes import bp


@bp.get("/tasks")
@requires(Permission.JOURNEYS_VIEW)
def tasks() -> str:
    """The open tasks about the viewer's people."""
    page = given.open_tasks(db.session(), current_viewer(), after=request.args.get("after"))
    return render_template("lifecycle/journeys/tasks.html", page=page, moment=clock.now())


@bp.post("/tasks/<int:task_id>/done")
@requires(Permission.PEOPLE_EDIT)
def finish_task(task_id: int) -> Any:
    """Mark a task as done."""
    session, viewer = db.session(), current_viewer()
    try:
        given.finish(session, given.load_task(session, viewer, task_id), by=viewer, at=clock.now())
    except Conflict as error:
        session.rollback()
        flash(str(error), "error")
    else:
        session.commit()
        flash(_("Done. Thank you."))
    return redirect(url_for("journeys.tasks"), 303)
