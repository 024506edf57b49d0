"""What journeys add to the query language: who is in one now, and who ever was."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from lifecycle.journeys.models import IS_INSIDE, Enrollment, Journey


def journey_choices(session: Session) -> dict[str, Any]:
    """Journeys by key."""
    rows = session.execute(select(Journey.key, Journey.name).order_by(Journey.key).limit(500))
    return {key: name for key, name in rows}  # noqa: C416 - rows, not pairs


def inside(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who are in the journey now."""
    return _enrolled(match, IS_INSIDE)


def entered(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who ever entered the journey."""
    return _enrolled(match)


def _enrolled(match: FieldMatch, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    journey = select(Journey.id).where(Journey.key == match.low).scalar_subquery()
    return exists().where(
        Enrollment.alumnus_id == Alumnus.id, Enrollment.journey_id == journey, *more
    )


FIELDS = (
    QueryField(
        "journey", _("Is in the journey"), FieldKind.CHOICE, inside,
        choices=journey_choices, example="journey:welcome",
    ),
    QueryField(
        "entered", _("Ever entered the journey"), FieldKind.CHOICE, entered,
        choices=journey_choices, example="entered:welcome",
    ),
)  # fmt: skip
