"""What staff decide about an event, and what makes a plan sound; no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from flask_babel import gettext as _

from crm.core.errors import Invalid
from crm.events.models import Event, EventKind
from crm.web.i18n import CONTENT_LANGUAGES

MOST_PLACES, MOST_GUESTS, MOST_DAYS = 100_000, 20, 60
LONGEST = timedelta(days=14)
MAX_TITLE, MAX_LINE, MAX_TEXT = 120, 300, 10_000
REMINDERS = (7, 1)


@dataclass(frozen=True)
class Plan:
    """An event as staff want it; moments are aware. `texts` by language: title, description.

    `reminders` are days before the beginning at which those coming are reminded.
    """

    kind: EventKind
    texts: Mapping[str, Mapping[str, str]]
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    school_id: int | None = None
    cluster_id: int | None = None
    place: str = ""
    address: str = ""
    virtual_address: str = ""
    answer_by: datetime | None = None
    capacity: int | None = None
    guests_allowed: int = 0
    reminders: tuple[int, ...] = field(default=REMINDERS)

    def check(self) -> None:
        """Raise `Invalid`, naming the field, for a plan that makes no sense."""
        self._check_texts()
        if self.time_zone not in available_timezones():
            raise Invalid(_("There is no such time zone."), field="time_zone")
        if not self.starts_at < self.ends_at <= self.starts_at + LONGEST:
            raise Invalid(_("It must end after it starts, within two weeks."), field="ends")
        if self.answer_by is not None and self.answer_by > self.starts_at:
            raise Invalid(_("Answers must be in before it starts."), field="answer_by")
        if self.capacity is not None and not 1 <= self.capacity <= MOST_PLACES:
            raise Invalid(_("Write how many places there are, or nothing."), field="capacity")
        if not 0 <= self.guests_allowed <= MOST_GUESTS:
            raise Invalid(_("At most 20 guests for each person."), field="guests_allowed")
        if any(not 1 <= days <= MOST_DAYS for days in self.reminders):
            raise Invalid(_("Reminders go from 1 to 60 days before."), field="reminders")
        if len(self.place) > MAX_LINE or len(self.address) > MAX_LINE:
            raise Invalid(_("Write less."), field="place")
        if self.virtual_address and not _is_web(self.virtual_address):
            message = _("Write the whole address, such as https://meet.example/abc.")
            raise Invalid(message, field="virtual_address")
        if not (self.place or self.virtual_address):
            raise Invalid(_("Say where it is: a place, or an address online."), field="place")

    def _check_texts(self) -> None:
        if not any(text.get("title", "").strip() for text in self.texts.values()):
            raise Invalid(_("Give it a title in at least one language."), field="title_en")
        for language, text in self.texts.items():
            if language not in CONTENT_LANGUAGES:
                raise Invalid(_("Mail cannot be written in that language yet."), field="title_en")
            if not text.get("title", "").strip() or len(text["title"]) > MAX_TITLE:
                raise Invalid(_("A text needs a short title."), field=f"title_{language}")
            if len(text.get("description", "")) > MAX_TEXT:
                raise Invalid(_("Write less."), field=f"description_{language}")

    def values(self) -> dict[str, Any]:
        """The plan as columns of an event."""
        texts = {
            language: {"title": text["title"], "description": text.get("description", "")}
            for language, text in self.texts.items()
        }
        days = sorted(set(self.reminders), reverse=True)
        return {**vars(self), "texts": texts, "reminders": days}


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and len(address) <= MAX_LINE


def plan_of(event: Event) -> Plan:
    """The plan that an event stands for today."""
    return Plan(
        **{name: getattr(event, name) for name in Plan.__dataclass_fields__ if name != "reminders"},
        reminders=tuple(event.reminders),
    )


def local(moment: datetime, zone: str) -> datetime:
    """A naive moment as the clock of a zone shows it, made aware."""
    return moment.replace(tzinfo=ZoneInfo(zone))
