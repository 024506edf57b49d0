"""Keeps what the provider tells of each message, once, and draws the conclusions.

The state of a message follows from the set of its events and not from their order: every figure is
computed again from all events of the messages that new events are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ARRAY, Table, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.mail import outcomes
from crm.mail.models import DeliveryEvent
from crm.mail.webhook import Event

COLUMNS = ("dedupe_key", "message_id", "attempt", "kind", "at", "machine", "payload", "received_at")


def take_in(session: Session, events: Iterable[Event], *, at: datetime) -> int:
    """Keep the events that are news and draw the conclusions; answers how many were news."""
    rows = {event.dedupe_key: event for event in events}
    if not rows:
        return 0
    new = [rows[key] for key in sorted(_insert(session, rows, at))]
    outcomes.draw(session, new, at=at)
    return len(new)


def _insert(session: Session, rows: Mapping[str, Event], at: datetime) -> list[str]:
    """One INSERT from arrays; answers the keys that were not there yet."""
    table: Table = DeliveryEvent.__table__  # type: ignore[assignment]
    arrays = [bindparam(f"all_{name}", type_=ARRAY(table.c[name].type)) for name in COLUMNS]
    told = func.unnest(*arrays).table_valued(
        *(column(name, table.c[name].type) for name in COLUMNS), name="told"
    )
    statement = (
        insert(table)
        .from_select(list(COLUMNS), select(told.render_derived()))
        .on_conflict_do_nothing(index_elements=[table.c.dedupe_key])
        .returning(table.c.dedupe_key)
    )
    whole = [
        (key, e.message_id, e.attempt, e.kind, e.at, e.machine, dict(e.payload), at)
        for key, e in sorted(rows.items())
    ]
    values = {
        f"all_{name}": list(v) for name, v in zip(COLUMNS, zip(*whole, strict=True), strict=True)
    }
    return list(session.scalars(statement, values))
