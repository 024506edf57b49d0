"""Which journeys a new day alone can bring people into.

The engine holds everybody against each live journey once a day, since a query may look at the
calendar. Most do not, and then only people who changed can come to be meant, whom the tick follows
anyway. A rehearsal of many days spares itself the question where it can be shown that the answer
is the same as the day before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from crm.query import QueryError
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.journeys.definition import Document
from lifecycle.journeys.entry import entrants, meaning
from lifecycle.journeys.models import Journey, JourneyVersion
from lifecycle.journeys.queries import document_of, live_journeys
from lifecycle.journeys.reading import read_document
from lifecycle.journeys.steps import Branch

FOLLOWED = frozenset(
    {
        "alumnus", "standing", "schooling", "interaction", "interest", "consent_entry", "ask",
        "clearance",
    }
)  # fmt: skip
"""What the queries may look at: a change to any of these marks the person."""


@dataclass
class Calendar:
    """What each journey's entry meant when everybody was last held against it."""

    meant: dict[int, Any] = field(default_factory=dict)

    def turn(self, session: Session, at: datetime) -> None:
        """Let those journeys go by that mean the same as when they last met everybody."""
        same, met = [], dict(session.execute(select(Journey.id, Journey.checked_at)).all())
        for journey, version in live_journeys(session):
            now = _meaning(session, journey, version, at)
            if now and met[journey.id] is not None and self.meant.get(journey.id) == now:
                same.append(journey.id)
            self.meant[journey.id] = now
        if same:
            statement = update(Journey).where(Journey.id.in_(same)).values(checked_at=at)
            session.execute(statement, execution_options={"synchronize_session": False})
        session.commit()


def _meaning(
    session: Session, journey: Journey, version: JourneyVersion, at: datetime
) -> tuple[Any, ...] | None:
    """Who may enter, as a statement's shape and values; None if it looks at what nobody follows."""
    document = document_of(version)
    enter = document.enter
    if enter.when is None or enter.listens or enter.date is not None:
        return None
    queries = [enter.when, *([document.exit] if document.exit else [])]
    try:
        conditions = [meaning(session, query, at) for query in queries]
        who = entrants(session, document, journey_id=journey.id, at=at)
    except QueryError:
        return None
    found = who._generate_cache_key()
    if found is None or not set().union(*map(_tables, conditions)) <= FOLLOWED:
        return None
    return version.id, found.key, repr([bound.value for bound in found.bindparams])


def _tables(expression: Any) -> set[str]:
    return {part.name for part in visitors.iterate(expression) if isinstance(part, Table)}


def tables_read(session: Session, draft: str | None, at: datetime) -> frozenset[str]:
    """The tables that the queries of journeys, of campaigns to come and of a draft look at.

    Versions that are live no more count too: people may still be inside.
    """
    documents = [document_of(version) for version in session.scalars(select(JourneyVersion))]
    if draft is not None:
        documents.append(read_document(draft, "draft"))
    ahead = Campaign.state == CampaignState.SCHEDULED
    texts = {text for document in documents for text in _queries(document)}
    texts |= set(session.scalars(select(Campaign.query).where(ahead)))
    moves = any(document.enter.move is not None for document in documents)
    found: set[str] = {"standing_move"} if moves else set()
    for text in texts:
        with suppress(QueryError):
            found |= _tables(meaning(session, text, at))
    return frozenset(found)


def _queries(document: Document) -> Iterator[str]:
    if document.enter.when is not None:
        yield document.enter.when
    if document.exit:
        yield document.exit
    for step in document.steps:
        if isinstance(step, Branch):
            yield from (arm.when for arm in step.arms)
