"""The letters of an event by what they are for."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.events.models import Event
from crm.mail.models import Message

DAY = timedelta(days=1)


def steps(session: Session, event: Event) -> Counter[str]:
    """How many messages of the event there are, by step; invitations have none."""
    rows = session.execute(select(Message.origin, func.count()).group_by(Message.origin)).all()
    return Counter({o.removeprefix(f"event:{event.key}").lstrip("/"): n for o, n in rows})
