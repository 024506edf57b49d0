"""Keeps standings true: places the people who changed, or for whom time changed something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, AlumnusChange
from crm.core.database import take_lock
from lifecycle.continuum.definition import Continuum, continuum
from lifecycle.continuum.models import ContinuumEdition, Standing
from lifecycle.continuum.moving import pass_phases, place_people

BATCH = 5_000
SWEEP_LOCK = 0x68630001
"""One sweeper at a time: two could otherwise write an older place over a newer one."""


@dataclass(frozen=True)
class Swept:
    """What one batch did: whom it looked at (others follow changes too), how many moved.

    `changed` are those of them about whom something is known that was not; the others only came
    into another phase. `more` says whether there may be others to look at.
    """

    ids: tuple[int, ...]
    changed: tuple[int, ...]
    moved: int
    more: bool


def sweep(session: Session, at: datetime, limit: int = BATCH) -> int:
    """Bring every standing to the moment; answers how many people moved or were placed.

    Works batch by batch in the caller's transaction; the engine commits between batches instead.
    """
    moved, more = 0, True
    while more:
        batch = sweep_batch(session, at, limit)
        moved, more = moved + batch.moved, batch.more
    return moved


def sweep_batch(session: Session, at: datetime, limit: int = BATCH) -> Swept:
    """Take at most `limit` changed or due people and place them, those who changed first.

    Marks written meanwhile stay: only those seen before the people are read are deleted.
    """
    take_lock(session, SWEEP_LOCK)
    ladder = continuum()
    mark_all_if_redefined(session, ladder, at)
    marks = take_changed(session, limit)
    due = take_due(session, at, limit - len(marks)) if len(marks) < limit else ()
    deeds = set(marks)
    deeds |= {i for i, stage_due in due if stage_due}
    aged = [i for i, stage_due in due if not stage_due and i not in deeds]
    moved = place_people(session, sorted(deeds), at, ladder) if deeds else 0
    moved += pass_phases(session, aged, at, ladder) if aged else 0
    changed = tuple(sorted(deeds))
    return Swept((*changed, *aged), changed, moved, more=len(marks) + len(due) >= limit)


def take_changed(session: Session, limit: int) -> list[int]:
    """Delete the marks of the first people in line and answer whom they name, mark by mark."""
    first = select(AlumnusChange.alumnus_id).order_by(AlumnusChange.alumnus_id).limit(limit)
    line = first.subquery()
    last = select(func.max(line.c.alumnus_id)).scalar_subquery()
    gone = (
        delete(AlumnusChange)
        .where(AlumnusChange.alumnus_id <= last)
        .returning(AlumnusChange.alumnus_id)
        .cte("gone")
    )
    return list(session.scalars(select(gone.c.alumnus_id)))


def take_due(session: Session, at: datetime, limit: int) -> Sequence[Any]:
    """People whose standing time alone changes by now, and whether to read their deeds again."""
    deeds = func.coalesce(Standing.stage_next_at <= at, literal(False))
    statement = (
        select(Standing.alumnus_id, deeds)
        .where(Standing.next_at <= at)
        .order_by(Standing.next_at)
        .limit(limit)
    )
    return session.execute(statement).all()


def latest_edition() -> Select[str]:
    """The fingerprint of the definition that everybody was last placed by."""
    return select(ContinuumEdition.sha256).order_by(ContinuumEdition.id.desc()).limit(1)


def mark_all_if_redefined(session: Session, ladder: Continuum, at: datetime) -> None:
    """When the definition in force is a new one, have everybody placed by it."""
    if session.scalars(latest_edition()).one_or_none() == ladder.sha256:
        return
    session.add(ContinuumEdition(sha256=ladder.sha256, at=at))
    session.flush()
    everybody = select(Alumnus.id).order_by(Alumnus.id)
    session.execute(insert(AlumnusChange).from_select(["alumnus_id"], everybody))
