"""`people find`, `people show`; the areas above add commands of their own to `people`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from crm.alumni.export import write_people
from crm.alumni.people import people_page, record_with_sources
from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting, say
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import Compiled, compile_query, count_up_to

EVERYBODY = 10_000_000

people = AppGroup("people", help="Alumni: find, show, import, merge.")


@people.command("find")
@click.argument("query")
@click.option("--count", "only_count", is_flag=True, help="Only how many there are.")
@click.option("--csv", "path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@reporting
def find(query: str, only_count: bool, path: Path | None, limit: int) -> dict[str, Any]:
    """People whom QUERY means, such as 'class:2010..2015 way:mentor -asked:90d'."""
    session, at = db.session(), clock.now()
    context = QueryContext(session, SYSTEM, at)
    compiled = compile_query(query, context)
    report: dict[str, Any] = {"query": compiled.text}
    report["count"] = count_up_to(session, compiled, EVERYBODY)[0]
    if path is not None:
        report["written"] = _write(path, compiled)
        say(f"{path}: people with a FERPA block are left out of every file.")
    if not only_count:
        page = people_page(session, compiled, after=None, size=limit)
        report["people"] = [
            {"id": row.id, "name": row.name, "class_year": row.class_year, "schools": row.schools}
            for row in page.items
        ]
    return report


def _write(path: Path, compiled: Compiled) -> int:
    """Write the file and note it; raises `Refused` where none can be written."""
    session = db.session()
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as target:
            written = write_people(session, compiled, SYSTEM, target, at=clock.now())
    except OSError as error:
        raise Refused([f"{path}: {error.strerror or error}"]) from error
    session.commit()
    return written


@people.command("show")
@click.option("--id", "who", required=True, help="system:value, an external id, or our number.")
@reporting
def show(who: str) -> dict[str, Any]:
    """Everything that is kept in one person's record."""
    session = db.session()
    return record_with_sources(session, resolve_person(session, who))
