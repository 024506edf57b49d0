"""What is mailed about a request to the staff user who posted it, and words its letters share.

The fields that need words (dates, places) are worded in the reader's language when a letter is
queued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.alumni.models import Way
from crm.core.application import current_settings
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import Attachment, queue_message
from crm.schools.models import School
from crm.web.moments import spoken, when
from segments.requests.models import Place, Request
from segments.requests.queries import dates_of, poster_of


def place_words(request: Request, school: School, language: str) -> str:
    """Where it is, in words."""
    with force_locale(spoken(language)):
        if request.place is Place.VIRTUAL:
            return _("by video")
    parts = (school.name, school.street, school.city)
    return ", ".join(part for part in parts if part)


def request_words(session: Session, request: Request, *languages: str) -> list[dict[str, str]]:
    """The merge fields that every letter about a request may use, in each of the languages."""
    school = session.get_one(School, request.school_id)
    way = session.get_one(Way, request.way_key)
    zone = ZoneInfo(school.time_zone)
    choices = dates_of(session, request.id)
    link = f"{current_settings().base_url}/requests/{request.id}"
    found = []
    for language in map(spoken, languages):
        with force_locale(language):
            times = [when(d.starts_at, d.ends_at, zone, language) for d in choices]
            words = {
                "request_title": request.title, "school_name": school.name,
                "way_label": _(way.label), "times": f" {_('or')} ".join(times),
                "pupils": str(request.pupils), "place": place_words(request, school, language),
                "note": request.note, "request_link": link,
            }  # fmt: skip
        found.append(words)
    return found


def write_to_school(
    session: Session, request: Request, content: str, *, key: str, merge: Mapping[str, Any],
    at: datetime, attachments: Sequence[Attachment] = (),
) -> None:  # fmt: skip
    """Queue one letter to the staff user who posted a request, if their account is in use."""
    user = poster_of(session, request)
    if user is None or not user.active:
        return
    (words,) = request_words(session, request, user.language)
    queue_message(
        session, key=f"request:{request.id}:{key}", alumnus_id=None, to_address=user.email,
        origin=f"request:{request.id}", version_id=shipped_version(session, content, at),
        message_class=MessageClass.IMMEDIATE, topic_key=None, language=user.language,
        merge={**words, "name": user.name, **merge},
        at=at, attachments=attachments,
    )  # fmt: skip


def reader_language(session: Session, request: Request) -> str:
    """The language of the staff user who posted the request."""
    user = poster_of(session, request)
    return spoken(user.language if user else "en")
