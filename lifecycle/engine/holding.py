"""Holds people, or their messages, until a moment that is another one in each time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, BigInteger, Select, case, literal, select, update
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import UTCDateTime, rows_of
from crm.core.district import chosen
from crm.mail.hours import Hours, SendingHours
from crm.mail.policy import next_open, zone_of
from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.engine.changes import QUIETLY, these
from lifecycle.journeys.models import Enrollment
from lifecycle.journeys.steps import WaitUntil

HELD = {"id": BigInteger(), "until": UTCDateTime()}


def hold(session: Session, step: WaitUntil, ids: Sequence[int], at: datetime) -> list[int]:
    """Put off those of these locked enrollments whose day is still to come; answers the others.

    The moment follows from when they arrived and where they live, so that looking twice, or after
    the calendar changed, never adds up. It is worked out once for each zone and arrival.
    """
    calendar = chosen(session, SchoolCalendar)
    places = (
        select(Enrollment.id, Enrollment.anchor_at, Alumnus.time_zone)
        .join(Alumnus, Alumnus.id == Enrollment.alumnus_id)
        .where(Enrollment.id == these(ids))
    )
    moments: dict[tuple[datetime, str | None], datetime] = {}
    held: list[dict[str, Any]] = []
    over: list[int] = []
    for enrollment_id, anchor, zone in session.execute(places):
        known = (anchor, zone)
        if known not in moments:
            moments[known] = step.moment(calendar, since=anchor, zone=zone_of(zone))
        if moments[known] > at:
            held.append({"id": enrollment_id, "until": moments[known].isoformat()})
        else:
            over.append(enrollment_id)
    if held:
        given, values = rows_of(HELD, held)
        statement = update(Enrollment).where(Enrollment.id == given.c.id)
        session.execute(statement.values(wake_at=given.c.until), values, execution_options=QUIETLY)
    return over


def opening(
    session: Session, rows: Select[Any], due: CTE, window: Hours, at: datetime
) -> Select[Any]:
    """Messages to due enrollments, each not before the window opens where its reader lives."""
    rows = rows.join(Alumnus, Alumnus.id == due.c.alumnus_id)
    zones = session.scalars(rows.with_only_columns(Alumnus.time_zone).distinct()).all()
    district = chosen(session, SendingHours).hours
    moments = {zone: next_open(at, zone, district, window) for zone in zones}
    elsewhere = literal(next_open(at, None, district, window), UTCDateTime())
    known = [
        (Alumnus.time_zone == zone, literal(moment, UTCDateTime()))
        for zone, moment in moments.items()
        if zone is not None
    ]
    opens = case(*known, else_=elsewhere) if known else elsewhere
    return rows.add_columns(opens.label("not_before"))
