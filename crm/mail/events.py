"""Keeps what the provider tells of each message, once, and draws the conclusions.

The state of a message follows from the set of its events and not from their order: every figure is
computed again from all events of the messages that new events are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.core.database import rows_of
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
    """One INSERT from one document; answers the keys that were not there yet."""
    table: Table = DeliveryEvent.__table__  # type: ignore[assignment]
    told, values = rows_of(
        {name: table.c[name].type for name in COLUMNS},
        (
            {
                "dedupe_key": key, "message_id": e.message_id, "attempt": e.attempt,
                "kind": e.kind, "at": e.at, "machine": e.machine, "payload": dict(e.payload),
                "received_at": at,
            }
            for key, e in sorted(rows.items())
        ),
    )  # fmt: skip
    statement = (
        insert(table)
        .from_select(list(COLUMNS), select(told))
        .on_conflict_do_nothing(index_elements=[table.c.dedupe_key, table.c.at])
        .returning(table.c.dedupe_key)
    )
    return list(session.scalars(statement, values))
