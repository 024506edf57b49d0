"""`homecoming requests …`: the request desk from the command line; the desk adds commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask.cli import AppGroup

from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import Invalid, Refused
from crm.core.viewer import SYSTEM
from crm.schools.models import School
from segments.requests import queries
from segments.requests.files import Placed, read_requests
from segments.requests.models import Request
from segments.requests.service import create_request

requests = AppGroup("requests", help="What schools need: post, list, match, move on.")


@requests.command("create")
@click.argument("file", type=click.Path(path_type=Path))
@reporting
def create(file: Path) -> Mapping[str, Any]:
    """Post the requests of a YAML or JSON file: all of them, or none."""
    made: list[int] = []
    problems: list[str] = []
    for placed in read_requests(file):
        try:
            made.append(_create(placed).id)
        except Invalid as error:
            problems.append(f"{placed.place}, {error.field or 'entry'}: {error}")
    if problems:
        raise Refused(problems)
    db.session.commit()
    return {"created": len(made), "ids": made, "id": made[0]}


def _create(placed: Placed) -> Request:
    session = db.session()
    school_id = queries.resolve_school(session, placed.entry.school)
    school = session.get(School, school_id) if school_id else None
    if school is None:
        raise Invalid(
            f"no school has the NCES id or name {placed.entry.school!r}; import it first",
            field="school",
        )
    draft = placed.entry.draft(school.id, ZoneInfo(school.time_zone))
    return create_request(session, draft, by=SYSTEM, at=clock.now())


@requests.command("list")
@reporting
def show() -> Mapping[str, Any]:
    """Every request, newest first."""
    rows = queries.listing(db.session(), SYSTEM)
    listed = [
        {
            "id": row.Request.id, "title": row.Request.title, "school": row.school,
            "way": row.Request.way_key, "state": row.Request.state.value,
            "places": row.Request.places, "first_date": row.first_date,
            "posted": row.Request.created_at,
        }
        for row in rows
    ]  # fmt: skip
    return {"requests": listed, "count": len(listed)}
