"""What is mailed about an ask to the person asked; links are made when a letter is handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import String, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import MergeField, Recipient
from crm.links.fields import link_address
from crm.links.tokens import issue
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import Attachment, queue_many, queue_message
from crm.web.i18n import LANGUAGES
from segments.asks.eligibility import TOPIC
from segments.asks.models import Ask
from segments.requests.letters import request_words
from segments.requests.models import Request

ASK_PRIORITY = 60


def queue_asks(session: Session, request: Request, ask_ids: Sequence[int], *, at: datetime) -> int:
    """Queue the letter of each ask; it expires with its hold. Answers how many."""
    return _queue_each(
        session, request, ask_ids, "ask", suffix="", message_class=MessageClass.ASK, at=at
    )


def queue_releases(
    session: Session, request: Request, ask_ids: Sequence[int], content: str, *, at: datetime
) -> int:
    """Tell people who were asked that the place is taken, or no longer needed."""
    return _queue_each(
        session, request, ask_ids, content, suffix=f":{content}:{int(at.timestamp())}",
        message_class=MessageClass.IMMEDIATE, at=at,
    )  # fmt: skip


def _queue_each(
    session: Session, request: Request, ask_ids: Sequence[int], content: str, *,
    suffix: str, message_class: MessageClass, at: datetime,
) -> int:  # fmt: skip
    if not ask_ids:
        return 0
    asking = message_class is MessageClass.ASK
    origin = func.concat("ask:", Ask.id)
    worded = dict(zip(LANGUAGES, request_words(session, request, *LANGUAGES), strict=True))
    fields = case(
        *((Alumnus.language.like(f"{c}%"), literal(words, JSONB)) for c, words in worded.items()),
        else_=literal(worded["en"], JSONB),
    )
    own = func.jsonb_build_object("ask_id", cast(Ask.id, String))
    rows = (
        select(
            Ask.alumnus_id, func.concat(origin, literal(suffix)).label("key"),
            origin.label("origin"), fields.op("||")(own).label("merge"),
            (Ask.expires_at if asking else literal(None, Ask.expires_at.type)).label("expires_at"),
        )
        .join(Alumnus, Alumnus.id == Ask.alumnus_id)
        .where(Ask.id.in_(ask_ids))
    )  # fmt: skip
    return queue_many(
        session, rows, message_class=message_class, at=at, topic_key=TOPIC,
        version_id=shipped_version(session, content, at), priority=ASK_PRIORITY,
    )  # fmt: skip


def write_to_alumnus(
    session: Session, ask: Ask, content: str, *, key: str, merge: Mapping[str, Any], at: datetime,
    attachments: Sequence[Attachment] = (), expires_at: datetime | None = None,
) -> None:  # fmt: skip
    """Queue one letter about an ask to the person asked: a confirmation, a thank-you."""
    queue_message(
        session, key=f"ask:{ask.id}:{key}", alumnus_id=ask.alumnus_id, origin=f"ask:{ask.id}",
        version_id=shipped_version(session, content, at), message_class=MessageClass.IMMEDIATE,
        topic_key=TOPIC, merge={**merge, "ask_id": str(ask.id)}, at=at, attachments=attachments,
        expires_at=expires_at,
    )  # fmt: skip


def _ask_links(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    return [_ask_link(recipient, at) for recipient in recipients]


def _ask_link(recipient: Recipient, at: datetime) -> str:
    """The address of the ask that a message is about; empty for a message about none."""
    subject = str(recipient.merge.get("ask_id", ""))
    if recipient.alumnus_id is None or not subject.isdecimal():
        return ""
    token = issue(
        "ask", alumnus_id=recipient.alumnus_id, epoch=recipient.link_epoch, at=at,
        contact_point_id=recipient.contact_point_id, message_id=recipient.message_id,
        subject=int(subject),
    )  # fmt: skip
    return link_address("ask", token)


ASK_LINK = MergeField(
    "ask_link", _("Link to answer an ask"), "https://…/ask/…", _ask_links, is_link=True
)
