"""What events, their states and people's answers are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_name
from flask_babel import lazy_gettext as _

from crm.events.models import Answer, Event, EventKind, EventState
from crm.web.moments import spoken, when

KINDS: Mapping[EventKind, Any] = {
    EventKind.REUNION: _("Reunion"),
    EventKind.TALK: _("Talk"),
    EventKind.VIRTUAL: _("Virtual meeting"),
    EventKind.OTHER: _("Other"),
}
STATES: Mapping[EventState, tuple[Any, str]] = {
    EventState.DRAFT: (_("Draft"), "quiet"),
    EventState.OPEN: (_("Open"), "good"),
    EventState.CLOSED: (_("Closed for answers"), "warn"),
    EventState.HELD: (_("Held"), "info"),
    EventState.CANCELLED: (_("Called off"), "bad"),
}
ANSWERS: Mapping[Answer, tuple[Any, str]] = {
    Answer.COMING: (_("coming"), "good"),
    Answer.WAITING: (_("on the waiting list"), "warn"),
    Answer.MAYBE: (_("perhaps"), "info"),
    Answer.DECLINED: (_("not coming"), "quiet"),
    Answer.NONE: (_("no answer yet"), "quiet"),
}


def zone_of(event: Event) -> ZoneInfo:
    """The zone in which the event's times are said."""
    return ZoneInfo(event.time_zone)


def when_words(event: Event, language: str) -> str:
    """When it is, in words; with the name of the zone where people join from elsewhere."""
    known, zone = spoken(language), zone_of(event)
    words = when(event.starts_at, event.ends_at, zone, known)
    if event.virtual_address:
        words += f" ({get_timezone_name(zone, width='long', locale=known)})"
    return words


def where_words(event: Event) -> str:
    """The place and its address on one line; empty for a meeting that has none."""
    address = ", ".join(line.strip() for line in event.address.splitlines() if line.strip())
    return ", ".join(part for part in (event.place, address) if part)
