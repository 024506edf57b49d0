"""`segments list`."""

from __future__ import annotations

from typing import Any

from flask.cli import AppGroup
from sqlalchemy import select

from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.viewer import SYSTEM
from segments.saved.models import Segment
from segments.saved.queries import line_of

segments = AppGroup("segments", help="Saved queries.")


@segments.command("list")
@reporting
def list_segments() -> dict[str, Any]:
    """Every segment with its query and how many people it means (1,000 stands for more)."""
    session, at = db.session(), clock.now()
    found = session.scalars(select(Segment).order_by(Segment.name, Segment.id))
    rows = [_row(line_of(session, SYSTEM, segment, "", at=at)) for segment in found.all()]
    return {"count": len(rows), "segments": rows}


def _row(line: Any) -> dict[str, Any]:
    segment = line.segment
    row = {"key": segment.key, "name": segment.name, "query": segment.query}
    row |= {"kind": segment.kind.value, "people": line.count, "more": line.more}
    return {**row, "fault": line.fault} if line.fault else row
