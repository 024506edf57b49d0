"""Arranges contents and messages for the tests of mail."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.mail.content import Variant, save_content
from crm.mail.models import Message, MessageClass, MessageState
from crm.mail.outbox import queue_message

BODY = """Dear {{ first_name }},

your class of {{ class_year | long ago }} works at {{ employer | many places }}.

[Look at your page]({{ profile_link }})
"""


def make_content(
    session: Session, at: datetime, *, key: str = "spring", languages: tuple[str, ...] = ("en",),
    subject: str = "News for {{ first_name }}", body: str = BODY, topic: str | None = "news",
    **values: Any,
) -> int:  # fmt: skip
    """A saved content's version id."""
    variants = {language: Variant(subject, "Three stories", body) for language in languages}
    version = save_content(
        session, key=key, name=key.title(), topic_key=topic, variants=variants, by=None, at=at,
        **values,
    )  # fmt: skip
    return version.id


def queue(
    session: Session, person: Alumnus | None, version_id: int, at: datetime, **values: Any
) -> UUID:
    """A queued message, marketing about news unless told otherwise."""
    person_id = person.id if person else None
    values = {
        "key": f"test:{version_id}:{person_id}", "message_class": MessageClass.MARKETING,
        "topic_key": "news", "origin": "campaign:spring", **values,
    }  # fmt: skip
    return queue_message(session, alumnus_id=person_id, version_id=version_id, at=at, **values)


def state(session: Session, message_id: UUID) -> tuple[MessageState, str | None]:
    """Where a message stands, and the reason."""
    row = session.execute(
        select(Message.state, Message.reason).where(Message.id == message_id)
    ).one()
    return row[0], row[1]
