"""Reads of the public door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Schooling, SchoolingStatus, Way
from crm.core.database import among
from crm.schools.models import School


def ways(session: Session) -> list[tuple[str, str]]:
    """(key, label) of the ways to help that are offered."""
    found = session.scalars(select(Way).where(Way.offered).order_by(Way.position, Way.key))
    return [(way.key, gettext(way.label)) for way in found]


def school_names(session: Session, ids: Sequence[int]) -> Mapping[int, str]:
    """Names of schools by id."""
    rows = session.execute(select(School.id, School.name).where(among(School.id, ids)))
    return {row.id: row.name for row in rows}


def status_of(session: Session, alumnus_id: int) -> SchoolingStatus | None:
    """How a person's latest class stands."""
    statement = select(Schooling.status).where(Schooling.alumnus_id == alumnus_id)
    order = Schooling.class_year.desc().nulls_last(), Schooling.id
    return session.scalars(statement.order_by(*order).limit(1)).first()
