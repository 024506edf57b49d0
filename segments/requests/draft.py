"""A request as it is filled in, before it is one: values and the rules on them, no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm.core.errors import Invalid
from crm.web.i18n import CONTENT_LANGUAGES
from segments.requests.models import GradeBand, Place, Supervision

MOST_DATES, MOST_PLACES, MOST_PUPILS = 3, 50, 5000
LEAD = timedelta(hours=24)
FURTHEST = timedelta(days=400)
LONGEST = timedelta(hours=12)
MAX_TITLE, MAX_NOTE = 120, 2000
MOST_WEEKS = 104


@dataclass(frozen=True)
class Slot:
    """A time that would suit, aware."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Draft:
    """Everything a school says of what it needs; defaults are the common case."""

    school_id: int
    way_key: str
    slots: tuple[Slot, ...]
    title: str = ""
    subject_key: str | None = None
    grade_band: GradeBand = GradeBand.G9_12
    pupils: int = 25
    places: int = 1
    place: Place = Place.SCHOOL
    language: str | None = None
    supervision: Supervision = Supervision.SUPERVISED
    note: str = field(default="")
    weeks: int | None = None


def check(draft: Draft, at: datetime) -> None:
    """Raise `Invalid` with the field at fault if the values cannot be a request at this moment."""
    if not 1 <= draft.pupils <= MOST_PUPILS:
        raise Invalid(
            "Give a number of pupils from 1 to %(most)s.", field="pupils", most=MOST_PUPILS
        )
    if not 1 <= draft.places <= MOST_PLACES:
        raise Invalid("Ask for 1 to %(most)s people.", field="places", most=MOST_PLACES)
    if draft.weeks is not None and not 1 <= draft.weeks <= MOST_WEEKS:
        raise Invalid("It may last 1 to %(most)s weeks.", field="weeks", most=MOST_WEEKS)
    if len(draft.title) > MAX_TITLE:
        raise Invalid("Use at most %(most)s characters.", field="title", most=MAX_TITLE)
    if len(draft.note) > MAX_NOTE:
        raise Invalid("Use at most %(most)s characters.", field="note", most=MAX_NOTE)
    if draft.language is not None and draft.language not in CONTENT_LANGUAGES:
        raise Invalid("Choose one of the languages.", field="language")
    for name in ("title", "note"):
        text = getattr(draft, name)
        if "\x00" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            raise Invalid("Holds characters that cannot be kept.", field=name)
    check_slots(draft.slots, at)


def check_slots(slots: Iterable[Slot], at: datetime) -> None:
    """Raise `Invalid` unless there are one to three different times that can still be met."""
    slots = list(slots)
    if not 1 <= len(slots) <= MOST_DATES:
        raise Invalid("Give one to %(most)s dates.", field="dates", most=MOST_DATES)
    if len({slot.starts_at for slot in slots}) < len(slots):
        raise Invalid("Two of the dates are the same.", field="dates")
    for slot in slots:
        if not timedelta() < slot.ends_at - slot.starts_at <= LONGEST:
            raise Invalid("It should last from a minute to twelve hours.", field="minutes")
        if slot.starts_at < at + LEAD:
            raise Invalid(
                "Choose dates from tomorrow on, so that somebody can be asked.", field="dates"
            )
        if slot.starts_at > at + FURTHEST:
            raise Invalid("This date is more than a year away.", field="dates")
