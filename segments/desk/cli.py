"""`homecoming requests match` and `requests advance`."""

from __future__ import annotations

from typing import Any

import click

from crm.alumni.queries import LARGEST_ID
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.viewer import SYSTEM
from segments.desk.advance import advance
from segments.desk.match import match
from segments.requests.access import load_request


@click.command("match")
@click.argument("request_id", metavar="ID", type=click.IntRange(1, LARGEST_ID))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@reporting
def match_command(request_id: int, limit: int) -> dict[str, Any]:
    """Who could help with a request, ranked with reasons; and why others cannot be asked."""
    session = db.session()
    request = load_request(session, SYSTEM, request_id)
    found = match(session, request, at=clock.now(), limit=limit)
    return {
        "request": request.id,
        "eligible": found.eligible,
        "candidates": [
            {
                "person_id": c.alumnus_id, "rank": c.rank, "probability": c.probability,
                "reasons": list(c.reasons), "dates": list(c.dates),
            }
            for c in found.candidates
        ],
        "ineligible": dict(found.ineligible),
    }  # fmt: skip


@click.command("advance")
@reporting
def advance_command() -> dict[str, Any]:
    """Expire holds, send next waves where wished, remind both sides, close what is past."""
    return {**advance(clock.now()).plain()}
