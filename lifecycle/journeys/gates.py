"""Keeps the messages of stopped journeys and versions from going out after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm.mail.models import Message
from crm.mail.reasons import STOPPED
from lifecycle.journeys.dropping import way_of
from lifecycle.journeys.models import Enrollment, Journey, JourneyState, JourneyVersion
from lifecycle.journeys.takeover import STOP

PREFIX = "journey:"


def stopped(session: Session, ids: Sequence[UUID], at: datetime) -> Mapping[UUID, str]:
    """Of these messages of journeys, those whose journey was stopped since they were decided.

    So are those of a version that a later one put an end to, of whoever was through it already.
    """
    key = func.split_part(func.substr(Message.origin, len(PREFIX) + 1), "/", 1)
    statement = (
        select(Message.id)
        .join(Journey, Journey.key == key)
        .where(Message.id.in_(ids), or_(Journey.state == JourneyState.STOPPED, _replaced()))
    )
    return dict.fromkeys(session.scalars(statement), STOPPED)


def _replaced() -> ColumnElement[bool]:
    """Whether a later version stopped the one that a message was decided in."""
    own, later = aliased(JourneyVersion), aliased(JourneyVersion)
    stops = later.takeover["inside"].astext == STOP
    some = select(later.journey_id).where(stops)
    decided = (
        exists()
        .where(
            Enrollment.id == way_of(Message), own.id == Enrollment.version_id,
            later.journey_id == own.journey_id, later.no > own.no, stops,
        )
        .correlate(Message)
    )  # fmt: skip
    return and_(Journey.id.in_(some), decided)
