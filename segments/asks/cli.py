"""`homecoming asks …`: past asks from a file, and how asks fall on people.

Targeting adds its own commands to the group.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from crm.core import clock
from crm.core.cli import progress, reporting, say
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from crm.imports.models import Fate
from crm.imports.queries import told_lines
from segments.asks.history import import_asks
from segments.asks.load import read_period
from segments.asks.report import report_of

SHOWN = 20

asks = AppGroup("asks", help="People asked, and the chance that they say yes.")


@asks.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@reporting
def bring(path: Path) -> dict[str, Any]:
    """Record past asks: a CSV FILE with person_id, asked_at, way, answered_at, answer."""
    session = db.session()
    with progress("reading lines") as advance:
        run = import_asks(session, path, at=clock.now(), by=SYSTEM, progress=advance)
    problems = [
        f"{path.name}:{line.line}: {line.reason}"
        for line in told_lines(session, run.id, (Fate.REJECT,), limit=SHOWN)
    ]
    if run.totals["rejected"] and run.totals["rejected"] == run.lines_total:
        raise Refused([*problems, f"{path.name}: every line was rejected; nothing was changed"])
    session.commit()
    for problem in problems:
        say(problem)
    return {"import_id": run.id, **run.totals}


@asks.command("report")
@click.option("--from", "since", default="", help="The first day; without it, a year.")
@click.option("--to", "until", default="", help="The last day; without it, today.")
@reporting
def report(since: str, until: str) -> dict[str, Any]:
    """How the asks of a period fell on people, and what ranking gains over chance."""
    session = db.session()
    period = read_period(session, since, until, at=clock.now())
    return report_of(session, SYSTEM, period).to_json()
