"""The demo's desk works at any hour, also when it is tomorrow already at Greenwich."""

from __future__ import annotations

from datetime import UTC, date, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.desk import Desk
from demo.people import population
from demo.readers import Read
from segments.clearance.models import Clearance
from tests.factories import Make


class Always(Random):
    """Draws so low that whatever may happen happens."""

    def random(self) -> float:
        return 0.0


def test_clearing_somebody_late_in_the_evening_is_of_that_evening(
    session: Session, make: Make
) -> None:
    make.school()
    rosa = make.alumnus("Rosa", "Delgado")
    evening = datetime(2026, 11, 24, 2, 16, tzinfo=UTC)
    person = next(iter(population(50, seed=1, today=date(2026, 11, 23))))
    read = Read(uuid4(), rosa.id, person, "journey:welcome", None, "", 1, evening)
    desk = Desk(cast("Any", SimpleNamespace(random=Always(), session=session)))
    desk.clear([read], evening)
    cleared = session.scalars(select(Clearance).where(Clearance.alumnus_id == rosa.id)).one()
    assert cleared.granted_on == date(2026, 11, 23)
