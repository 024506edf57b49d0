"""Times as people say them, in the language and the zone of whoever reads."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time

from crm.web.i18n import LANGUAGES

DAYS = {"es": "EEEE d 'de' MMMM", "am": "EEEE፣ MMMM d"}
"""How a day is said with its weekday, where it is not as in English."""
COMMA = {"am": "፣ "}


def spoken(language: str) -> str:
    """The language to word fields in: the reader's if we write it, else English."""
    known = language.partition("-")[0]
    return known if known in LANGUAGES else "en"


def when(starts_at: datetime, ends_at: datetime, zone: ZoneInfo, language: str) -> str:
    """A time as one says it: Tuesday, October 20, 9:30 AM – 10:30 AM."""
    first = format_time(starts_at, "short", tzinfo=zone, locale=language)
    last = format_time(ends_at, "short", tzinfo=zone, locale=language)
    if starts_at.astimezone(zone).date() != ends_at.astimezone(zone).date():
        last = f"{day(ends_at, zone, language)}{COMMA.get(language, ', ')}{last}"
    return f"{day(starts_at, zone, language)}{COMMA.get(language, ', ')}{first} – {last}"


def day(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """The day of a moment: Tuesday, October 20."""
    pattern = DAYS.get(language, "EEEE, MMMM d")
    return format_datetime(moment, pattern, tzinfo=zone, locale=language)
