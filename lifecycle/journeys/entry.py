"""Who enters a journey at a moment: the entry query, without those it lets out or already had."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import compile_query
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import IS_INSIDE, Enrollment
from lifecycle.journeys.occasions import occasion


def meaning(session: Session, query: str, at: datetime) -> ColumnElement[bool]:
    """What a journey's query says of a row of alumni, district-wide; raises `QueryError`."""
    return compile_query(query, QueryContext(session, SYSTEM, at)).condition


def entrants(
    session: Session,
    document: Document,
    *,
    journey_id: int | None,
    at: datetime,
    since: datetime | None = None,
) -> Select[Any]:
    """People who would enter now, as `alumnus_id` and `entry_key`; the dead do not.

    `journey_id` is None for a journey that has never been published, which nobody is in. `since`
    is from when on moves and interactions let people in.
    """
    enter = document.enter
    conditions: list[ColumnElement[bool]] = [Alumnus.deceased.is_(False)]
    if enter.when is not None:
        conditions.append(meaning(session, enter.when, at))
    found = occasion(enter, journey_id=journey_id, since=since or at, at=at)
    if found is not None:
        conditions.append(found.there)
    elif enter.when is None or enter.by_hand:
        conditions.append(false())
    if document.exit:
        conditions.append(meaning(session, document.exit, at).is_not(true()))
    if journey_id is not None:
        conditions.append(~_been(document, journey_id, at))
    key = entry_key(document, journey_id=journey_id, at=at)
    if found is not None and (
        enter.reentry == "each" or (enter.date and enter.reentry == "yearly")
    ):
        key = found.key
    return select(Alumnus.id.label("alumnus_id"), key.label("entry_key")).where(*conditions)


def entry_key(document: Document, *, journey_id: int | None, at: datetime) -> ColumnElement[Any]:
    """What bounds how often a person enters, as an expression on `Alumnus`."""
    if document.enter.reentry == "yearly":
        return literal(str(at.year))
    again = document.enter.reentry in ("after_exit", "each")
    if again and journey_id is not None:
        mine = Enrollment.journey_id == journey_id, Enrollment.alumnus_id == Alumnus.id
        before = select(func.count()).where(*mine).correlate(Alumnus).scalar_subquery()
        return cast(before + 1, String)
    return literal("once")


def kept_out(
    session: Session, document: Document, *, journey_id: int, at: datetime
) -> ColumnElement[Any]:
    """Why a person may not enter, whatever the entry query says; null for those who may.

    The reasons are `deceased`, `exit` and `been`.
    """
    reasons = [(Alumnus.deceased.is_(True), "deceased")]
    if document.exit:
        reasons.append((meaning(session, document.exit, at).is_(true()), "exit"))
    return case(*reasons, (_been(document, journey_id, at), "been"), else_=null())


def _been(document: Document, journey_id: int, at: datetime) -> ColumnElement[bool]:
    """Whether a way through the journey keeps the person from entering again."""
    mine = Enrollment.journey_id == journey_id, Enrollment.alumnus_id == Alumnus.id
    return exists().where(*mine, *_bars(document, at))


def _bars(document: Document, at: datetime) -> list[ColumnElement[bool]]:
    """Which enrollments of a person keep them from entering again."""
    enter = document.enter
    if enter.reentry == "once":
        return []
    if enter.reentry == "each" or enter.date is not None:
        return [IS_INSIDE]
    inside = IS_INSIDE
    if enter.reentry == "yearly":
        return [inside | (Enrollment.entry_key == str(at.year))]
    rest = at - timedelta(seconds=enter.gap or 0)
    return [inside | (Enrollment.ended_at > rest)]
