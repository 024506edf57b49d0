"""A person's decision about messages that no event has settled.

SMTP servers tell nothing afterwards, and a provider's event may never come. Only somebody who
looked into the server's log, or accepts a doubled letter, may decide; the program never does.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, cast, or_, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.mail.models import Content, ContentVersion, Message, MessageState, SendAttempt


class How(StrEnum):
    """What somebody found out or decided."""

    SENT = "sent"
    AGAIN = "again"


def settle(session: Session, how: How, *, name: str | None, by: Viewer, at: datetime) -> int:
    """Take messages in doubt as sent, or queue them again; answers how many.

    `name` is the id or key of one of them, or None for all. Raises `NotFound` if it is not one.
    """
    which = Message.state == MessageState.UNCERTAIN
    if name is not None:
        plain = name.replace("\x00", "")
        which &= or_(Message.key == plain, cast(Message.id, String) == plain.lower())
    ids = list(session.scalars(select(Message.id).where(which).with_for_update(skip_locked=True)))
    if name is not None and not ids:
        raise NotFound(f"There is no message “{name[:80]}” whose fate is in doubt.")
    values: dict[str, object] = {"state": MessageState.ACCEPTED, "accepted_at": at}
    if how is How.AGAIN:
        values = {
            "state": MessageState.QUEUED, "not_before": at, "batch_id": None, "claimed_at": None,
            "send_at": None,
        }  # fmt: skip
    session.execute(
        update(Message).where(Message.id.in_(ids)).values(**values),
        execution_options={"synchronize_session": False},
    )
    if ids:
        audit.record(
            session, f"mail.settled_{how.value}", kind="message", key=name or "all", by=by, at=at,
            messages=len(ids),
        )  # fmt: skip
    return len(ids)


def in_doubt(session: Session, *, most: int = 200) -> list[tuple[Message, str, str | None]]:
    """Messages in doubt with the content's name and how the last attempt went, oldest first."""
    states = [MessageState.UNCERTAIN, MessageState.CANCELLING]
    statement = (
        select(Message, Content.name, SendAttempt.result)
        .join(ContentVersion, ContentVersion.id == Message.version_id)
        .join(Content, Content.id == ContentVersion.content_id)
        .outerjoin(
            SendAttempt,
            (SendAttempt.message_id == Message.id) & (SendAttempt.attempt == Message.attempt),
        )
        .where(Message.state.in_(states))
        .order_by(Message.claimed_at, Message.id)
        .limit(most)
    )
    return list(session.execute(statement).all())
