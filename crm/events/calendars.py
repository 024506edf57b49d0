"""Calendar files of an event: one for each person, which later ones bring up to date."""

from __future__ import annotations

from datetime import datetime, timedelta

from icalendar import Alarm, Calendar
from icalendar import Event as Entry

from crm.core.application import site_host
from crm.events.models import Event, EventState
from crm.events.words import where_words
from crm.mail.outbox import Attachment

MEDIA_TYPE = "text/calendar"
NAME = "event.ics"


def calendar_file(
    event: Event, invitation_id: int, *, link: str, language: str, at: datetime
) -> Attachment:
    """The event as an iCalendar file (RFC 5545) for one person who is coming.

    The UID stays that of the person's place; SEQUENCE counts the changes they must know of, so that
    a newer file replaces an older one. An event that was called off is taken back. `link` is the
    address of the person's page, where their ticket is.
    """
    cancelled = event.state is EventState.CANCELLED
    calendar = Calendar()
    calendar.add("prodid", "-//Homecoming//Events//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    entry, text = Entry(), event.text(language)
    entry.add("uid", f"event-{event.id}-{invitation_id}@{site_host()}")
    entry.add("dtstamp", at)
    entry.add("sequence", event.sequence)
    entry.add("dtstart", event.starts_at)
    entry.add("dtend", event.ends_at)
    entry.add("summary", text["title"])
    entry.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    where = where_words(event) or event.virtual_address
    if where:
        entry.add("location", where)
    entry.add("description", "\n".join(part for part in (event.virtual_address, link) if part))
    entry.add("url", link)
    if not cancelled:
        entry.add_component(_alarm(event, text["title"]))
    calendar.add_component(entry)
    return Attachment(NAME, MEDIA_TYPE, calendar.to_ical())


def _alarm(event: Event, title: str) -> Alarm:
    """A reminder two hours before, or a quarter of an hour before a meeting online."""
    alarm = Alarm()
    ahead = timedelta(hours=2) if where_words(event) else timedelta(minutes=15)
    alarm.add("action", "DISPLAY")
    alarm.add("description", title)
    alarm.add("trigger", -ahead)
    return alarm
