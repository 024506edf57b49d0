"""Reads of rehearsals: the latest, and the people who got the most mail in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.viewer import Viewer
from lifecycle.rehearsal.models import Rehearsal

SHOWN = 10


def latest(session: Session, key: str | None) -> Sequence[Rehearsal]:
    """The last ten rehearsals of a journey, or of all that are live together."""
    statement = select(Rehearsal).where(Rehearsal.journey_key.is_not_distinct_from(key))
    return session.scalars(statement.order_by(Rehearsal.id.desc()).limit(SHOWN)).all()


def most_mailed(
    session: Session, most: Sequence[Sequence[int]], viewer: Viewer
) -> list[tuple[Alumnus, int]]:
    """Those whom the viewer may know of among (id, messages), in the order given."""
    ids = [alumnus_id for alumnus_id, _ in most[:SHOWN]]
    known = select(Alumnus).where(Alumnus.id.in_(ids), visible_alumni(viewer))
    people: dict[Any, Alumnus] = {person.id: person for person in session.scalars(known)}
    return [(people[i], number) for i, number in most[:SHOWN] if i in people]
