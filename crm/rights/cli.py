"""`people erase` and `people export`, beside the other commands about people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from crm.alumni.cli import people
from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from crm.rights import retention
from crm.rights.everything import everything
from crm.rights.wishes import forget


@people.command("erase")
@click.option("--id", "who", required=True, help="system:value, an external id, or our number.")
@click.option("--yes", is_flag=True, help="Do not ask; it cannot be undone.")
@reporting
def erase_person(who: str, yes: bool) -> dict[str, Any]:
    """Forget a person: only counts stay, and their addresses as hashes that are never mailed."""
    session = db.session()
    alumnus_id = resolve_person(session, who)
    asking = f"Erase person {alumnus_id} for good?"
    if not yes and sys.stdin.isatty() and not click.confirm(asking, err=True):
        raise Refused(["nothing was erased"])
    rows = forget(session, alumnus_id, by=SYSTEM, at=clock.now())
    session.commit()
    return {"id": alumnus_id, "erased": True, "rows": rows}


@people.command("export")
@click.option("--id", "who", required=True, help="system:value, an external id, or our number.")
@click.option("--to", "path", type=click.Path(dir_okay=False, path_type=Path))
@reporting
def export(who: str, path: Path | None) -> dict[str, Any]:
    """Everything that is kept about one person, for them: every row of every table, as JSON."""
    session, at = db.session(), clock.now()
    told = everything(session, resolve_person(session, who), at=at, by=SYSTEM)
    session.commit()
    if path is None:
        return told
    try:
        path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused([f"{path}: {error.strerror or error}"]) from error
    rows = sum(len(rows) for rows in told["tables"].values())
    return {"id": told["id"], "written": str(path), "rows": rows}


@click.group("retention")
def retention_group() -> None:
    """What goes when it is no longer needed."""


@retention_group.command("report")
@reporting
def retention_report() -> dict[str, Any]:
    """How long each kind of rows is kept, what would go now, and what went."""
    return {"kinds": retention.as_plain(retention.report(db.session(), at=clock.now()))}


@retention_group.command("run")
@reporting
def retention_run() -> dict[str, Any]:
    """Let go of what is due now."""
    gone = retention.run(db.session(), at=clock.now())
    return {"gone": gone, "rows": sum(gone.values())}
