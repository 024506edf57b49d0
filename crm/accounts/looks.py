"""Looks at people's contact data: once for each viewer, person and hour in the audit trail.

A page that shows addresses says so with `saw`; the entry is written when its answer is done, since
the page itself only reads. It is the one thing that a GET writes about people (ADR 0014).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Flask, Response, g
from flask_login import current_user
from sqlalchemy import Select, Text, cast, func, literal, literal_column, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from crm.accounts.models import LOOKED, AuditEntry
from crm.core import clock
from crm.core.database import UTCDateTime, db, id_array
from crm.core.viewer import Viewer

HOUR = text("date_trunc('hour', timezone('UTC', at))")
IS_LOOK = text(f"action = '{LOOKED}'")
REFUSED = 400


def saw(where: str, people: Iterable[int] | Select[Any]) -> None:
    """Say that this page shows the addresses of these people (ids, or a select of them)."""
    g.setdefault("looks", []).append((where, people))


def note_looks(
    session: Session, where: str, people: Iterable[int] | Select[Any], *, by: Viewer, at: datetime
) -> None:
    """Write who saw whose addresses; a second look within the hour is no second entry.

    Nobody is asked about the program itself, which looks at everybody.
    """
    if by.user_id is None:
        return
    if isinstance(people, Select):
        found = people.subquery()
        person = found.c[0]
        rows = select(person).where(person.is_not(None))
    else:
        person = func.unnest(id_array(set(people))).column_valued("person")
        rows = select(person)
    entries = rows.with_only_columns(
        literal(at, UTCDateTime()), literal(by.user_id), literal_column(f"'{LOOKED}'"),
        literal("alumnus"), cast(person, Text), literal({"where": where}, JSONB),
    ).distinct()  # fmt: skip
    columns = ["at", "user_id", "action", "object_kind", "object_id", "detail"]
    statement = insert(AuditEntry).from_select(columns, entries)
    place: list[Any] = [AuditEntry.user_id, AuditEntry.object_id, HOUR]
    session.execute(statement.on_conflict_do_nothing(index_elements=place, index_where=IS_LOOK))


def init_app(app: Flask) -> None:
    """Write the looks of an answer once it is made."""

    @app.after_request
    def write(response: Response) -> Response:
        looks = g.pop("looks", [])
        if looks and response.status_code < REFUSED and current_user.is_authenticated:
            session, at = db.session(), clock.now()
            for where, people in looks:
                note_looks(session, where, people, by=current_user.viewer, at=at)
            session.commit()
        return response
