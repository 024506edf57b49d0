"""Figures about the outbox, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.mail.models import Message, MessageState


def outbox(session: Session, at: datetime) -> Iterator[tuple[str, str, float]]:
    """How many messages are due, and for how long the oldest has been."""
    due = Message.state == MessageState.QUEUED, Message.not_before <= at
    count = session.execute(select(func.count()).where(*due)).scalar_one()
    oldest = session.scalar(select(func.min(Message.not_before)).where(*due))
    age = (at - oldest).total_seconds() if oldest else 0.0
    yield "homecoming_messages_due", "Messages that could be handed over now", count
    yield "homecoming_messages_due_age_seconds", "How long the oldest of them has been due", age
