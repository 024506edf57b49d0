"""Letters that somebody waits for: shipped contents, queued at once and delivered soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from flask import current_app
from sqlalchemy.orm import Session

from crm.core.jobs import jobs
from crm.mail import content
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message

DELIVER = "mail.deliver"


def send_letter(
    session: Session,
    content_key: str,
    *,
    key: str,
    to_address: str,
    language: str,
    merge: Mapping[str, str],
    origin: str,
    at: datetime,
    expires_at: datetime | None = None,
    alumnus_id: int | None = None,
) -> None:
    """Queue one letter to an address in the caller's transaction, and ask for its delivery.

    `alumnus_id` lets the content use the person's own fields and links. Raises `LookupError` for a
    content that does not come with the program.
    """
    version = content.latest_version(session, content_key)
    if version is None:
        content.ship_all(session, at)
        version = content.latest_version(session, content_key)
    if version is None:
        raise LookupError(f"no content {content_key!r} is shipped")
    queue_message(
        session, key=key, alumnus_id=alumnus_id, version_id=version.id,
        message_class=MessageClass.IMMEDIATE, topic_key=None, origin=origin, at=at, merge=merge,
        priority=100, expires_at=expires_at, to_address=to_address, language=language,
    )  # fmt: skip
    jobs(current_app._get_current_object()).enqueue(session, DELIVER)  # type: ignore[attr-defined]
