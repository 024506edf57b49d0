"""`people erase`, beside the other commands about people."""

from __future__ import annotations

import sys
from typing import Any

import click

from crm.alumni.cli import people
from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from crm.rights.erasing import erase


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
    rows = erase(session, alumnus_id, at=clock.now(), by=SYSTEM)
    session.commit()
    return {"id": alumnus_id, "erased": True, "rows": rows}
