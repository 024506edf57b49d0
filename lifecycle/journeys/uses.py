"""Which journeys name a piece of a query, such as a segment that somebody wants to delete."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from crm.query.naming import that_names
from lifecycle.journeys.definition import Document, stored
from lifecycle.journeys.models import IS_WAITING, Enrollment, Journey, JourneyState, JourneyVersion
from lifecycle.journeys.steps import Branch


def journeys_that_name(session: Session, piece: str) -> list[tuple[str, str]]:
    """(label, address) of the journeys that still need the piece.

    A journey needs what its live version names, and what an older one does while people are in it.
    """
    named = that_names(session, piece)
    inside = exists().where(Enrollment.version_id == JourneyVersion.id, IS_WAITING)
    running = Journey.state != JourneyState.STOPPED
    statement = (
        select(Journey.key, Journey.name, JourneyVersion.document)
        .join(JourneyVersion, JourneyVersion.journey_id == Journey.id)
        .where(or_(running & (JourneyVersion.id == Journey.live_version_id), inside))
        .order_by(Journey.name, Journey.key)
    )
    uses = {
        row.key: (gettext("the journey %(name)s", name=row.name), f"/journeys/{row.key}")
        for row in session.execute(statement)
        if any(named(text) for text in queries_of(stored(row.document)))
    }
    return list(uses.values())


def journey_origins(session: Session) -> list[tuple[str, str]]:
    """(origin, label) of every journey, for the settings that name what decides a message."""
    rows = session.execute(select(Journey.key, Journey.name).order_by(Journey.name, Journey.key))
    return [(f"journey:{key}", gettext("the journey %(name)s", name=name)) for key, name in rows]


def queries_of(document: Document) -> Iterator[str]:
    """Every query in a journey: who enters, who is let out, who takes which way."""
    if document.enter.when is not None:
        yield document.enter.when
    if document.exit is not None:
        yield document.exit
    for step in document.steps:
        if isinstance(step, Branch):
            yield from (arm.when for arm in step.arms)
