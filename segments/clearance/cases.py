"""People on their way to a clearance: the clock starts with their yes and ends with the proof."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Way
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.schools.models import School
from crm.web.paging import Page, keyset
from segments.clearance.models import ClearanceCase
from segments.clearance.policy import MOST_LEVELS
from segments.clearance.queries import cleared_on, office_day

USUAL_LEAD = timedelta(days=30)
"""What an open yes is given where the district has said no lead time."""


def start_case(
    session: Session, alumnus_id: int, *, level: int, school_id: int | None, way_key: str,
    due_on: date, at: datetime,
) -> None:  # fmt: skip
    """Start the clock, or bring forward one that runs for the same level."""
    statement = insert(ClearanceCase).values(
        alumnus_id=alumnus_id, level=level, school_id=school_id, way_key=way_key, started_at=at,
        due_on=due_on, ended_how="",
    )  # fmt: skip
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[ClearanceCase.alumnus_id, ClearanceCase.level],
            index_where=ClearanceCase.ended_at.is_(None),
            set_={"due_on": func.least(ClearanceCase.due_on, statement.excluded.due_on)},
        )
    )


def end_cases(session: Session, at: datetime) -> int:
    """End the cases of those who are cleared now, and of those whose time is over; set-based."""
    session.flush()
    today = office_day(session, at)
    done = 0
    for how, condition in (("cleared", _has_it(today)), ("late", ClearanceCase.due_on < today)):
        ids = (
            select(ClearanceCase.id)
            .join(Alumnus, Alumnus.id == ClearanceCase.alumnus_id)
            .where(ClearanceCase.ended_at.is_(None), condition)
        )
        ended = session.execute(
            update(ClearanceCase)
            .where(ClearanceCase.id.in_(ids))
            .values(ended_at=at, ended_how=how)
            .returning(ClearanceCase.id),
            execution_options={"synchronize_session": False},
        ).all()
        done += len(ended)
    return done


def _has_it(today: date) -> ColumnElement[bool]:
    """A condition on `ClearanceCase` joined to `Alumnus`: what was wanted is held by now."""
    held: ColumnElement[bool] = ClearanceCase.level == 0
    for level in range(1, MOST_LEVELS + 1):
        anywhere = ClearanceCase.school_id.is_(None) & cleared_on(level, today, None)
        there = cleared_on(level, today, func.coalesce(ClearanceCase.school_id, 0))
        held = held | ((ClearanceCase.level == level) & (anywhere | there))
    return held


def open_cases(session: Session, viewer: Viewer, *, after: str | None) -> Page[Any]:
    """(ClearanceCase, Alumnus, school, way) of those on their way, the soonest due first."""
    statement = (
        select(
            ClearanceCase, Alumnus, School.name.label("school"), Way.label.label("way")
        )
        .join(Alumnus, Alumnus.id == ClearanceCase.alumnus_id)
        .join(Way, Way.key == ClearanceCase.way_key)
        .outerjoin(School, School.id == ClearanceCase.school_id)
        .where(ClearanceCase.ended_at.is_(None), visible_alumni(viewer))
    )  # fmt: skip
    return keyset(session, statement, (ClearanceCase.due_on, ClearanceCase.id), after=after)


def todo(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """People who said yes and wait for their clearance."""
    if not viewer.may(Permission.PEOPLE_EDIT):
        return
    statement = (
        select(func.count())
        .select_from(ClearanceCase)
        .join(Alumnus, Alumnus.id == ClearanceCase.alumnus_id)
        .where(ClearanceCase.ended_at.is_(None), visible_alumni(viewer))
    )
    waiting = session.scalars(statement).one()
    label = ngettext(
        "person said yes and is to be cleared", "people said yes and are to be cleared", waiting
    )
    yield Todo(label, waiting, url_for("clearance.waiting"), "warn", 25)
