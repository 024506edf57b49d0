"""Keeps the messages of stopped journeys from going out after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.mail.models import Message
from crm.mail.reasons import STOPPED
from lifecycle.journeys.models import Journey, JourneyState

PREFIX = "journey:"


def stopped(session: Session, ids: Sequence[UUID], at: datetime) -> Mapping[UUID, str]:
    """Of these messages of journeys, those whose journey was stopped since they were decided."""
    key = func.split_part(func.substr(Message.origin, len(PREFIX) + 1), "/", 1)
    statement = (
        select(Message.id)
        .join(Journey, Journey.key == key)
        .where(Message.id.in_(ids), Journey.state == JourneyState.STOPPED)
    )
    return dict.fromkeys(session.scalars(statement), STOPPED)
