"""What is mailed about an ask, to the alumnus and to the staff user who posted the request.

The merge fields that need words (dates, places) are worded in the reader's language when the letter
is queued; links are made when it is handed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import String, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import Alumnus, Way
from crm.core.application import current_settings
from crm.core.extend import MergeField, Recipient
from crm.links.fields import link_address
from crm.links.tokens import issue
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import Attachment, queue_many, queue_message
from crm.schools.models import School
from crm.web.i18n import LANGUAGES
from segments.asks.eligibility import TOPIC
from segments.asks.models import Ask
from segments.requests.models import Place, Request, RequestDate
from segments.requests.queries import dates_of, poster_of

ASK_PRIORITY = 60


def when(starts_at: datetime, ends_at: datetime, zone: ZoneInfo, language: str) -> str:
    """A time as one says it: Tuesday, October 20, 9:30 AM – 10:30 AM."""
    day = format_datetime(starts_at, "EEEE, MMMM d", tzinfo=zone, locale=language)
    if language == "es":
        day = format_datetime(starts_at, "EEEE d 'de' MMMM", tzinfo=zone, locale=language)
    first = format_time(starts_at, "short", tzinfo=zone, locale=language)
    last = format_time(ends_at, "short", tzinfo=zone, locale=language)
    return f"{day}, {first} – {last}"


def spoken(language: str) -> str:
    """The language to word fields in: the reader's if we write it, else English."""
    known = language.partition("-")[0]
    return known if known in LANGUAGES else "en"


def place_words(request: Request, school: School, language: str) -> str:
    """Where it is, in words."""
    with force_locale(spoken(language)):
        if request.place is Place.VIRTUAL:
            return _("by video")
    parts = (school.name, school.street, school.city)
    return ", ".join(part for part in parts if part)


def request_words(session: Session, request: Request, language: str) -> dict[str, str]:
    """The merge fields that every letter about a request may use."""
    language = spoken(language)
    school = session.get_one(School, request.school_id)
    way = session.get_one(Way, request.way_key)
    zone = ZoneInfo(school.time_zone)
    choices = dates_of(session, request.id)
    with force_locale(language):
        times = f" {_('or')} ".join(when(d.starts_at, d.ends_at, zone, language) for d in choices)
        return {
            "request_title": request.title, "school_name": school.name, "way_label": _(way.label),
            "times": times, "pupils": str(request.pupils),
            "place": place_words(request, school, language), "note": request.note,
            "request_link": f"{current_settings().base_url}/requests/{request.id}",
        }  # fmt: skip


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
    worded = {code: request_words(session, request, code) for code in LANGUAGES}
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


def write_to_school(
    session: Session, request: Request, content: str, *, key: str, merge: Mapping[str, Any],
    at: datetime, attachments: Sequence[Attachment] = (),
) -> None:  # fmt: skip
    """Queue one letter to the staff user who posted a request, if their account is in use."""
    user = poster_of(session, request)
    if user is None or not user.active:
        return
    queue_message(
        session, key=f"request:{request.id}:{key}", alumnus_id=None, to_address=user.email,
        origin=f"request:{request.id}", version_id=shipped_version(session, content, at),
        message_class=MessageClass.IMMEDIATE, topic_key=None, language=user.language,
        merge={**request_words(session, request, user.language), "name": user.name, **merge},
        at=at, attachments=attachments,
    )  # fmt: skip


def reader_language(session: Session, request: Request) -> str:
    """The language of the staff user who posted the request."""
    user = session.get(User, request.created_by) if request.created_by else None
    return spoken(user.language if user else "en")


def duration(choice: RequestDate) -> timedelta:
    """How long a date choice lasts."""
    return choice.ends_at - choice.starts_at


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
    "ask_link", "Link to answer an ask", "https://…/ask/…", _ask_links, is_link=True
)
