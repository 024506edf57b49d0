"""Reads of the timeline."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.errors import NotFound
from crm.interactions.models import Interaction, Mode
from crm.schools.models import School
from crm.web.paging import Page, keyset

SIZE = 20
HAND = "hand"


def timeline(
    session: Session, alumnus_id: int, *, mode: Mode | None, after: str | None
) -> Page[Any]:
    """One page of what happened with a person, newest first: rows of (Interaction, school name)."""
    statement = (
        select(Interaction, School.name.label("school"))
        .outerjoin(School, School.id == Interaction.school_id)
        .where(Interaction.alumnus_id == alumnus_id)
    )
    if mode is not None:
        statement = statement.where(Interaction.mode == mode)
    keys = [Interaction.occurred_at, Interaction.id]
    return keyset(session, statement, keys, after=after, descending=True, size=SIZE)


def recorded_by_hand(session: Session, alumnus_id: int, interaction_id: int) -> Interaction:
    """An interaction of this person that staff recorded themselves, or `NotFound`."""
    statement = select(Interaction).where(
        Interaction.id == min(interaction_id, 2**63 - 1),
        Interaction.alumnus_id == alumnus_id,
        Interaction.origin == HAND,
    )
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise NotFound("There is no such entry, or the program recorded it itself.")
    return found
