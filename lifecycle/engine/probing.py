"""Whether a tick has anything to do: one statement, however many people wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, column, func, or_, select, true
from sqlalchemy.orm import Session

from crm.alumni.models import AlumnusChange
from crm.core.database import UTCDateTime
from lifecycle.campaigns.queries import campaigns_due
from lifecycle.continuum.definition import continuum
from lifecycle.continuum.models import Standing
from lifecycle.continuum.service import latest_edition
from lifecycle.engine.intake import meeting, stopped
from lifecycle.engine.taking_over import left_behind
from lifecycle.journeys.models import IS_WAITING, Enrollment, Journey, JourneyState, JourneyVersion

AT: Any = bindparam("at", type_=UTCDateTime())


@dataclass(frozen=True)
class Due:
    """What is due: people who changed or whom time moved, journeys that meet everybody or are to
    be cleared, versions that are taken over, steps, campaigns.
    """

    changes: bool
    journeys: bool
    takeover: bool
    steps: bool
    campaigns: bool

    @property
    def people(self) -> bool:
        """Whether somebody may be due at a step, now or by what else is done first."""
        return self.changes or self.journeys or self.takeover or self.steps


def probe(session: Session, at: datetime) -> Due:
    """Look at everything that could be due at a moment: an index entry for each."""
    found = session.execute(_probing(), {"at": at, "edition": continuum().sha256}).one()
    return Due(*map(bool, found))


@cache
def _probing() -> Any:
    """The statement, built once."""
    marked = select(AlumnusChange.alumnus_id).order_by(AlumnusChange.alumnus_id).limit(1)
    aged = select(Standing.next_at).where(Standing.next_at <= AT)
    redefined = latest_edition().scalar_subquery().is_distinct_from(bindparam("edition"))
    return select(
        or_(
            redefined,
            marked.scalar_subquery().is_not(None),
            aged.order_by(Standing.next_at).limit(1).scalar_subquery().is_not(None),
        ),
        or_(meeting(AT).exists(), stopped().exists()),
        left_behind().exists(),
        due_steps(AT).exists(),
        select(1).where(campaigns_due(AT)).exists(),
    )


def due_steps(at: Any) -> Select[Any]:
    """(version, number) of the steps at which somebody is due: one probe of the index for each."""
    numbers = func.generate_series(0, JourneyVersion.steps - 1)
    steps = numbers.table_valued(column("no")).render_derived(name="steps")
    # The order costs nothing in the index and keeps the planner from reading the table instead.
    somebody = (
        select(Enrollment.wake_at)
        .where(
            Enrollment.version_id == JourneyVersion.id,
            Enrollment.step_no == steps.c.no,
            IS_WAITING,
            Enrollment.wake_at <= at,
        )
        .order_by(Enrollment.wake_at)
        .limit(1)
        .lateral("somebody")
    )
    found: Select[Any] = (
        select(JourneyVersion.id, steps.c.no)
        .join(Journey, Journey.id == JourneyVersion.journey_id)
        .join(steps, true())
        .join(somebody, true())
        .where(Journey.state == JourneyState.LIVE)
    )
    return found
