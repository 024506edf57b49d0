"""Who enters a journey at a moment: the entry query, without those it lets out or already had."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, exists, func, literal, select, true
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import compile_query
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import IS_INSIDE, Enrollment


def meaning(session: Session, query: str, at: datetime) -> ColumnElement[bool]:
    """What a journey's query says of a row of alumni, district-wide; raises `QueryError`."""
    return compile_query(query, QueryContext(session, SYSTEM, at)).condition


def entrants(
    session: Session, document: Document, *, journey_id: int | None, at: datetime
) -> Select[Any]:
    """People who would enter now, as `alumnus_id` and `entry_key`; the dead do not.

    `journey_id` is None for a journey that has never been published, which nobody is in.
    """
    conditions = [meaning(session, document.enter.when, at), Alumnus.deceased.is_(False)]
    if document.exit:
        conditions.append(meaning(session, document.exit, at).is_not(true()))
    key: ColumnElement[Any] = literal("once")
    if document.enter.reentry == "yearly":
        key = literal(str(at.year))
    if journey_id is not None:
        mine = [Enrollment.journey_id == journey_id, Enrollment.alumnus_id == Alumnus.id]
        conditions.append(~exists().where(*mine, *_bars(document, at)))
        if document.enter.reentry == "after_exit":
            before = select(func.count()).where(*mine).correlate(Alumnus).scalar_subquery()
            key = cast(before + 1, String)
    return select(Alumnus.id.label("alumnus_id"), key.label("entry_key")).where(*conditions)


def _bars(document: Document, at: datetime) -> list[ColumnElement[bool]]:
    """Which enrollments of a person keep them from entering again."""
    enter = document.enter
    if enter.reentry == "once":
        return []
    inside = IS_INSIDE
    if enter.reentry == "yearly":
        return [inside | (Enrollment.entry_key == str(at.year))]
    rest = at - timedelta(seconds=enter.gap or 0)
    return [inside | (Enrollment.ended_at > rest)]
