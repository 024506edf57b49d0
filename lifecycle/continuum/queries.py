"""Reads of the continuum: the map of phases and stages, who moved, one person's moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.viewer import Permission, Viewer
from lifecycle.continuum.definition import UNKNOWN, Continuum, continuum
from lifecycle.continuum.models import Standing, StandingMove

RECENT = timedelta(days=30)


@dataclass(frozen=True)
class Map:
    """How many people stand in each phase at each stage, and how many moved of late."""

    cells: Mapping[tuple[str, str], int]
    phases: tuple[str, ...]
    stages: tuple[str, ...]
    up: int
    down: int
    since: datetime

    @property
    def total(self) -> int:
        """Everybody on the map."""
        return sum(self.cells.values())


def _scoped(statement: Any, column: Any, viewer: Viewer) -> Any:
    """The statement within the viewer's wall; the whole district needs no join at all."""
    if viewer.sees_district and viewer.may(Permission.BLOCKED_VIEW):
        return statement
    return statement.join(Alumnus, Alumnus.id == column).where(visible_alumni(viewer))


def continuum_map(session: Session, viewer: Viewer, at: datetime) -> Map:
    """The map of the people this viewer may know of; `up` and `down` count moves in 30 days."""
    ladder = continuum()
    counted = select(Standing.phase, Standing.stage, func.count()).group_by(
        Standing.phase, Standing.stage
    )
    rows = session.execute(_scoped(counted, Standing.alumnus_id, viewer)).all()
    cells = {(phase, stage): number for phase, stage, number in rows}
    phases = [p.key for p in ladder.phases]
    if any(phase == UNKNOWN for phase, _ in cells):
        phases.append(UNKNOWN)
    up, down = _moves(session, viewer, at, ladder)
    stages = tuple(s.key for s in ladder.stages)
    return Map(cells, tuple(phases), stages, up, down, at - RECENT)


def _moves(session: Session, viewer: Viewer, at: datetime, ladder: Continuum) -> tuple[int, int]:
    statement = (
        select(StandingMove.from_key, StandingMove.to_key, func.count())
        .where(
            StandingMove.axis == "stage",
            StandingMove.at > at - RECENT,
            StandingMove.at <= at,
            StandingMove.from_key.is_not(None),
        )
        .group_by(StandingMove.from_key, StandingMove.to_key)
    )
    rows = session.execute(_scoped(statement, StandingMove.alumnus_id, viewer)).all()
    up = sum(n for old, new, n in rows if ladder.rank(new) > ladder.rank(old))
    return up, sum(n for _, _, n in rows) - up


def standing_of(session: Session, alumnus_id: int) -> Standing | None:
    """Where a person stands, or None before the first sweep after they came."""
    return session.get(Standing, alumnus_id)


def moves_of(session: Session, alumnus_id: int, limit: int = 10) -> Sequence[StandingMove]:
    """A person's latest moves, newest first."""
    statement = (
        select(StandingMove)
        .where(StandingMove.alumnus_id == alumnus_id)
        .order_by(StandingMove.at.desc(), StandingMove.id.desc())
        .limit(limit)
    )
    return session.scalars(statement).all()
