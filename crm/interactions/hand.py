"""What staff record by hand: a talk, a call, a gift, and taking a mistake back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from crm.interactions.models import Interaction
from crm.interactions.queries import HAND
from crm.interactions.service import record
from crm.interactions.words import BY_HAND

NOON = time(12)
ZONE = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class Entry:
    """What somebody writes down. Amounts are in the district's currency."""

    kind: str
    day: date
    school_id: int | None = None
    hours: Decimal | None = None
    amount: Decimal | None = None
    pupils: int | None = None
    note: str = ""
    once: str = ""


def write_down(
    session: Session, alumnus: Alumnus, entry: Entry, *, by: Viewer, at: datetime
) -> bool:
    """Record an entry; False if the same form was sent before. Raises `Invalid`."""
    if entry.kind not in BY_HAND:
        raise Invalid("Choose what happened.", field="kind")
    if entry.day > at.astimezone(ZONE).date():
        raise Invalid("That day is still to come.", field="day")
    new = record(
        session, alumnus.id, kind=entry.kind, mode=BY_HAND[entry.kind],
        occurred_at=datetime.combine(entry.day, NOON, tzinfo=ZONE),
        dedupe_key=f"{HAND}:{alumnus.id}:{entry.once or uuid4().hex}", origin=HAND,
        school_id=entry.school_id, hours=entry.hours, amount=entry.amount, pupils=entry.pupils,
        note=entry.note,
    )  # fmt: skip
    if new:
        audit.record(
            session, "interaction.recorded", kind="alumnus", key=alumnus.id, by=by, at=at,
            what=entry.kind, day=entry.day.isoformat(),
        )  # fmt: skip
        session.flush()
    return new


def take_back(session: Session, interaction: Interaction, *, by: Viewer, at: datetime) -> None:
    """Delete an entry made by hand; the audit trail keeps that it was there."""
    audit.record(
        session, "interaction.taken_back", kind="alumnus", key=interaction.alumnus_id, by=by, at=at,
        what=interaction.kind, occurred_at=interaction.occurred_at.isoformat(),
    )  # fmt: skip
    session.delete(interaction)
    session.flush()
