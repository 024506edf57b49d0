"""Holds every standing against a recomputation from scratch, by the rule in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, AlumnusChange
from crm.interactions.models import Interaction
from lifecycle.continuum.definition import Continuum, continuum
from lifecycle.continuum.models import Standing
from lifecycle.continuum.rule import Deed, Person, Place, place

CHUNK = 5_000
EXAMPLES = 20


@dataclass
class Verified:
    """How many people were held against the rule, and how many stood elsewhere.

    `pending` counts those whom the next sweep will look at anyway, so that nothing can be said of
    them; `examples` names the first ids that differ.
    """

    checked: int = 0
    differing: int = 0
    pending: int = 0
    examples: list[int] = field(default_factory=list)


def verify(session: Session, at: datetime) -> Verified:
    """Recompute everybody at the moment and compare; changes nothing."""
    ladder, found = continuum(), Verified()
    for people in _chunks(session, at):
        deeds = _deeds(session, [row.id for row in people])
        for row in people:
            _check(row, deeds.get(row.id, ()), at, ladder, found)
    return found


def _chunks(session: Session, at: datetime) -> Iterator[Sequence[Any]]:
    """Everybody by id, with their standing and whether a mark waits for the next sweep."""
    marked = exists().where(AlumnusChange.alumnus_id == Alumnus.id)
    statement = (
        select(
            Alumnus.id, Alumnus.created_at, Alumnus.graduated_on, Alumnus.class_year,
            Alumnus.merged_into_id, Standing.alumnus_id, Standing.phase, Standing.phase_since,
            Standing.stage, Standing.stage_since, Standing.next_at, marked.label("marked"),
        )
        .outerjoin(Standing, Standing.alumnus_id == Alumnus.id)
        .order_by(Alumnus.id)
        .limit(CHUNK)
    )  # fmt: skip
    last = 0
    while people := session.execute(statement.where(Alumnus.id > last)).all():
        yield people
        last = people[-1].id


def _deeds(session: Session, ids: Sequence[int]) -> dict[int, list[Deed]]:
    statement = select(Interaction.alumnus_id, Interaction.occurred_at, Interaction.mode).where(
        Interaction.alumnus_id.between(ids[0], ids[-1]), Interaction.machine.is_(False)
    )
    found: dict[int, list[Deed]] = defaultdict(list)
    for alumnus_id, occurred_at, mode in session.execute(statement):
        found[alumnus_id].append(Deed(occurred_at, mode))
    return found


def _check(
    row: Any, deeds: Sequence[Deed], at: datetime, ladder: Continuum, found: Verified
) -> None:
    """Hold one person's standing against the rule and count the result."""
    if row.marked or (row.next_at is not None and row.next_at <= at):
        found.pending += 1
        return
    found.checked += 1
    stands = row.alumnus_id and Place(
        row.phase, row.phase_since, row.stage, row.stage_since, row.next_at
    )
    person = Person(row.created_at, row.graduated_on, row.class_year)
    should = None if row.merged_into_id else place(person, deeds, at, ladder)
    if stands != should:
        found.differing += 1
        if len(found.examples) < EXAMPLES:
            found.examples.append(row.id)
