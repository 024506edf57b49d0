"""Reads of the clearance area."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.errors import NotFound
from crm.core.extend import FieldMatch, QueryContext
from crm.core.viewer import Viewer
from crm.schools.models import School
from segments.clearance.models import Clearance

LARGEST_ID = 2**63 - 1
_ZONE = (
    select(School.time_zone)
    .group_by(School.time_zone)
    .order_by(func.count().desc(), School.time_zone)
    .limit(1)
)


def cleared_on(
    level: int,
    day: date | ColumnElement[date],
    school_id: int | ColumnElement[int] | InstrumentedAttribute[int] | None,
) -> ColumnElement[bool]:
    """A condition on `Alumnus.id`: holds `level` on that day, accepted by the school.

    The twin of `rules.cleared` in SQL. `school_id` None asks for a level that any school accepts.
    """
    if level == 0:
        return true()
    return exists().where(
        Clearance.alumnus_id == Alumnus.id, counts_for(level, day, school_id)
    )  # fmt: skip


def counts_for(
    level: int,
    day: date | ColumnElement[date],
    school_id: int | ColumnElement[int] | InstrumentedAttribute[int] | None,
) -> ColumnElement[bool]:
    """A condition on `Clearance`: it is worth `level` (above 0) on that day at the school."""
    accepted: ColumnElement[bool] = true()
    if school_id is not None:
        accepted = or_(Clearance.school_id.is_(None), Clearance.school_id == school_id)
    return and_(
        Clearance.level >= level,
        Clearance.granted_on <= day,
        Clearance.expires_on > day,
        or_(Clearance.revoked_on.is_(None), Clearance.revoked_on > day),
        accepted,
    )


def district_zone(session: Session) -> ZoneInfo:
    """The time zone of most schools: the one in which the office's days begin."""
    return ZoneInfo(session.scalar(_ZONE) or "America/New_York")


def office_day(session: Session, at: datetime) -> date:
    """The day that it is at the office."""
    return at.astimezone(district_zone(session)).date()


def clearances_of(session: Session, alumnus_id: int) -> Sequence[Row[Clearance, str, str]]:
    """What a person holds or held, newest first: (Clearance, school name, recorder's name)."""
    statement = (
        select(Clearance, School.name.label("school"), User.name.label("recorder"))
        .outerjoin(School, School.id == Clearance.school_id)
        .outerjoin(User, User.id == Clearance.recorded_by)
        .where(Clearance.alumnus_id == alumnus_id)
        .order_by(Clearance.granted_on.desc(), Clearance.id.desc())
        .limit(50)
    )
    return session.execute(statement).all()


def load_clearance(session: Session, alumnus_id: int, clearance_id: int) -> Clearance:
    """One clearance of a person whom the caller was allowed to load; else `NotFound`."""
    if clearance_id <= LARGEST_ID:
        statement = select(Clearance).where(
            Clearance.id == clearance_id, Clearance.alumnus_id == alumnus_id
        )
        found = session.scalars(statement).one_or_none()
        if found is not None:
            return found
    raise NotFound("There is no such clearance.")


def schools_in_reach(session: Session, viewer: Viewer) -> Sequence[Row[int, str]]:
    """(id, name) of the schools whose approval this viewer may record."""
    statement = select(School.id, School.name).order_by(School.name)
    if viewer.school_ids is not None:
        statement = statement.where(School.id.in_(sorted(viewer.school_ids)))
    return session.execute(statement).all()


def holds_level(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """The query field `cleared:`: `2` is at least level 2 today, `1..2` no more than 2 either."""
    today = office_day(context.session, context.at)
    low = max(int(match.low or 1), 1)
    condition = cleared_on(min(low, 99), today, None)
    if match.high is None or match.high == match.low:
        return condition
    return and_(condition, ~cleared_on(min(max(int(match.high) + 1, 1), 99), today, None))
