"""Ends the messages of ways through a journey that are over before they could go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, cast, func, update
from sqlalchemy.orm import Session

from crm.core.database import among
from crm.mail.models import Message, MessageState
from crm.mail.reasons import STOPPED
from lifecycle.journeys.models import Enrollment

OF_A_WAY = r"^journey:[^:]+:[0-9]{1,18}:"


def way_of(message: type[Message]) -> ColumnElement[int | None]:
    """The enrollment that a journey's message names in its key; null for any other message."""
    named = cast(func.split_part(message.key, ":", 3), Enrollment.id.type)
    return case((message.key.regexp_match(OF_A_WAY), named))


def drop_waiting(
    session: Session, journey_key: str, *, people: Sequence[int], ways: Sequence[int], at: datetime
) -> None:
    """End what these people's ways (enrollment ids) through a journey have still queued.

    The reason is `stopped`; what was handed over already goes.
    """
    if not ways:
        return
    mine = Message.origin.startswith(f"journey:{journey_key}/", autoescape=True)
    waits = update(Message).where(
        among(Message.alumnus_id, people), Message.state == MessageState.QUEUED,
        case((mine, among(way_of(Message), ways)), else_=False),
    )  # fmt: skip
    gone = waits.values(state=MessageState.SKIPPED, reason=STOPPED, ended_at=at)
    session.execute(gone, execution_options={"synchronize_session": False})
