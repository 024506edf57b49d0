"""What a mail will look like, without sending it; links in it lead nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, make_response
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.models import Topic
from crm.consent.words import topic_name
from crm.core.errors import Invalid
from crm.core.extend import Recipient
from crm.mail import values
from crm.mail.content import FALLBACK, language_for, variants_of
from crm.mail.letter import LETTERS, Footer
from crm.mail.models import Content, ContentVersion
from crm.web.i18n import text_direction

FRAME_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups"
)
"""What may happen inside a shown mail: its own inline styles, and nothing else."""
# Fields of the person and the office; all others are shown by a harmless sample.
NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Rendered:
    """One mail as one person would get it."""

    subject: str
    html: str
    text: str
    language: str
    direction: str


def preview(
    session: Session,
    version: ContentVersion | int,
    language: str | None,
    alumnus: Alumnus | None,
    *,
    at: datetime,
) -> Rendered:
    """A version as this person (or nobody in particular) would get it, in the given language.

    Without a language it is the person's, as when sending. Raises `Invalid` if it is not written in
    any language for them.
    """
    version_id = version if isinstance(version, int) else version.id
    variants = variants_of(session, version_id)
    wanted = language or (alumnus.language if alumnus else FALLBACK)
    chosen = language_for(wanted, variants)
    if chosen is None:
        raise Invalid("This content is not written in a language for this person.")
    footer = Footer(topic=topic_label(session, version_id, chosen) or "")
    letter = LETTERS.letter((version_id, chosen), variants[chosen], footer)
    said = _values(session, alumnus, letter.names, at)
    subject, html, text = letter.filled(letter.substitutions(said))
    return Rendered(subject, html, text, chosen, text_direction(chosen))


def topic_label(session: Session, version_id: int, language: str) -> str | None:
    """The name of the topic that a version's content is about, in the letter's language."""
    statement = (
        select(Topic)
        .join(Content, Content.topic_key == Topic.key)
        .join(ContentVersion, ContentVersion.content_id == Content.id)
        .where(ContentVersion.id == version_id)
    )
    topic = session.scalars(statement).one_or_none()
    return topic_name(topic, language) if topic else None


def _values(
    session: Session, alumnus: Alumnus | None, names: frozenset[str], at: datetime
) -> dict[str, str]:
    own = names & (values.PERSONAL.keys() | values.OFFICE.keys())
    said = values.samples(names - own)
    if alumnus is None:
        return (
            said
            | values.office_values()
            | {key: sample for key, (_label, sample, _read) in values.PERSONAL.items()}
        )
    person = Recipient(
        message_id=NOBODY, alumnus_id=alumnus.id, contact_point_id=None, address="",
        language=alumnus.language, link_epoch=alumnus.link_epoch, merge={},
    )  # fmt: skip
    return said | values.values_for(session, [person], own, at)[0]


def field_words() -> list[tuple[str, Any, str]]:
    """Every merge field that a writer may use: its key, label and a sample."""
    return values.described_fields()


def framed(html: str) -> Response:
    """A mail's HTML as the answer to a sandboxed frame of our own."""
    response = make_response(html)
    response.headers["Content-Security-Policy"] = FRAME_CSP
    return response
