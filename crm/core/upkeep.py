"""What the database's tables need of us: parts made ahead each night, and a look at their sizes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click
from flask import Flask
from sqlalchemy.orm import Session

from crm.core import clock, months
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.extend import Panel, PeriodicJob, extensions

DAY = 86_400
SHOWN = 12
MEGABYTE = 1_000_000


def keep_months(at: datetime) -> None:
    """The clock's knock: make the parts of the next months."""
    months.keep_up(db.session(), at)


@click.command("months")
@reporting
def months_command() -> dict[str, Any]:
    """Make the parts of the next months, file rows that came without one, and say what is kept."""
    session = db.session()
    made = months.keep_up(session, clock.now())
    kept = [
        {
            "table": part.table, "month": f"{part.month:%Y-%m}" if part.month else None,
            "bytes": part.bytes, "rows": part.rows,
        }
        for part in months.parts(session)
    ]  # fmt: skip
    session.rollback()
    return {"made": made, "months": kept}


def sizes(session: Session) -> dict[str, Any] | None:
    """What the tables kept by months take, in megabytes: the newest months, and all before."""
    found = months.parts(session)
    tables = sorted({part.table for part in found})
    by_month: dict[date | None, dict[str, float]] = {}
    for part in found:
        by_month.setdefault(part.month, {})[part.table] = part.bytes / MEGABYTE
    named = sorted((month for month in by_month if month), reverse=True)
    before = {
        table: sum(by_month[month].get(table, 0.0) for month in named[SHOWN:]) for table in tables
    }
    return {
        "tables": tables,
        "rows": [(month, by_month[month]) for month in named[:SHOWN]],
        "before": before if named[SHOWN:] else None,
        "rest": by_month.get(None, {}),
    }


def init_app(app: Flask) -> None:
    """Register the command, the knock and the panel."""
    app.cli.add_command(months_command)
    known = extensions(app)
    known.jobs.append(PeriodicJob("core.months", DAY, keep_months))
    known.settings_panels.append(Panel("months", "crm/core/_months.html", 70, sizes))
