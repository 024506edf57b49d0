"""A record that a person makes of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Schooling, SchoolingStatus
from crm.alumni.service import edit_profile


def add_person(
    session: Session,
    values: Mapping[str, Any],
    schoolings: Sequence[tuple[int, int | None, SchoolingStatus]],
    *,
    made_by: str,
    at: datetime,
) -> Alumnus:
    """Make a record of what a person said about themselves.

    `values` maps fields of `crm.alumni.profile.EDITABLE`; `schoolings` are (school id, class year,
    status), each school once. The trail names the person (source `link`) for each field. Raises
    `Invalid` as `edit_profile` does.
    """
    person = Alumnus(made_by=made_by, created_at=at, updated_at=at)
    session.add(person)
    session.flush()
    edit_profile(session, person, values, by=None, at=at, source="link")
    session.add_all(
        Schooling(alumnus_id=person.id, school_id=school, class_year=year, status=status)
        for school, year, status in schoolings
    )
    session.flush()
    return person
