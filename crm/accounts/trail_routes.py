"""The page of the audit trail, and the trail as a file."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request, stream_with_context

from crm.accounts import queries, trail
from crm.accounts.access import current_viewer, requires
from crm.accounts.deeds import action_words, kind_words
from crm.accounts.routes import bp
from crm.accounts.telling import Deed
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.query import QueryError


@bp.get("/audit")
@requires(Permission.AUDIT)
def audit() -> Any:
    """Who did what to whom, when, and what it was before."""
    session, search = db.session(), trail.Search.of(request.args)
    deeds: list[Deed] = []
    page, fault, status = None, "", 200
    try:
        deeds, page = trail.deeds(
            session, search, viewer=current_viewer(), at=clock.now(),
            after=request.args.get("after"),
        )  # fmt: skip
    except (QueryError, Invalid) as error:
        fault, status = str(error), 422
    body = render_template(
        "crm/accounts/audit.html", search=search, deeds=deeds, page=page, fault=fault,
        kinds=[(k, kind_words(k)) for k in queries.audit_kinds(session)],
        actions=[(a, action_words(a)) for a in queries.audit_actions(session)],
        staff=queries.staff_names(session),
    )  # fmt: skip
    return body, status


@bp.post("/audit/export")
@requires(Permission.AUDIT)
def export_audit() -> Response:
    """The entries of a search as CSV; noted before a row leaves."""
    session, at = db.session(), clock.now()
    search = trail.Search.of(request.form)
    statement = trail.export(session, search, viewer=current_viewer(), at=at)
    session.commit()
    body = stream_with_context(trail.as_file(session, statement))
    headers = {"Content-Disposition": f"attachment; filename=audit-{at:%Y-%m-%d}.csv"}
    return Response(body, mimetype="text/csv", headers=headers)
