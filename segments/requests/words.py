"""The words that pages use for what a request may be, in one place."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_skeleton, format_time
from flask_babel import get_locale, gettext, ngettext
from flask_babel import lazy_gettext as _

from segments.requests.models import GradeBand, Place, Request, RequestState, Supervision

STATES: dict[RequestState, Any] = {
    RequestState.DRAFT: _("Draft"),
    RequestState.SUBMITTED: _("Waiting for approval"),
    RequestState.APPROVED: _("Approved"),
    RequestState.ASKING: _("Asking"),
    RequestState.FILLED: _("Filled"),
    RequestState.UNFILLED: _("Not filled"),
    RequestState.DONE: _("Done"),
    RequestState.THANKED: _("Thanked"),
    RequestState.CANCELLED: _("Cancelled"),
}
TONES: dict[RequestState, str] = {
    RequestState.SUBMITTED: "warn",
    RequestState.APPROVED: "info",
    RequestState.ASKING: "info",
    RequestState.FILLED: "good",
    RequestState.DONE: "info",
    RequestState.THANKED: "good",
    RequestState.UNFILLED: "bad",
}
SUPERVISION: dict[Supervision, Any] = {
    Supervision.SUPERVISED: _("A teacher stays in the room"),
    Supervision.UNSUPERVISED: _("Alone with pupils at times"),
    Supervision.NO_PUPILS: _("No pupils are met"),
}
PLACES: dict[Place, Any] = {
    Place.SCHOOL: _("At the school"),
    Place.VIRTUAL: _("By video"),
}
GRADES: dict[GradeBand, Any] = {
    GradeBand.K_5: _("grades K to 5"),
    GradeBand.G6_8: _("grades 6 to 8"),
    GradeBand.G9_12: _("grades 9 to 12"),
}
REASONS: dict[str, Any] = {
    "dates_passed": _("The dates passed before somebody said yes."),
    "nobody_left": _("Everybody who could be asked was asked."),
    "missed": _("Nobody came."),
}
"""Why a request stayed unfilled, for the words that the program itself writes."""


def why_unfilled(reason: str | None) -> str:
    """The sentence for `request.reason`: the program's own words, or what a person wrote."""
    return str(REASONS.get(reason or "", reason or ""))


NEXT: dict[RequestState, Any] = {
    RequestState.DRAFT: _("The school completes it and posts it."),
    RequestState.SUBMITTED: _("The alumni office approves it, or says what should change."),
    RequestState.APPROVED: _("The alumni office chooses whom to ask."),
    RequestState.ASKING: _("Alumni are asked; the school hears who comes, or what can be had."),
    RequestState.FILLED: _("The visit takes place; then the school says how it was."),
    RequestState.DONE: _("Whoever came is thanked."),
    RequestState.THANKED: _("Nothing more: whoever came was thanked."),
    RequestState.UNFILLED: _("Nobody was found. What was tried is on its page."),
    RequestState.CANCELLED: _("Nothing more: it was called off."),
}


def next_step(request: Request, zone: str, at: datetime) -> str:
    """What happens next with a request, and by when."""
    words = str(NEXT[request.state])
    if request.due_at is None:
        return words
    day = day_in(request.due_at, zone)
    if request.due_at < at:
        return f"{words} {gettext('It was due by %(day)s.', day=day)}"
    return f"{words} {gettext('By %(day)s.', day=day)}"


def urgency(request: Request, at: datetime) -> str:
    """`late`, `soon` or nothing: how a request stands to its due time."""
    if request.due_at is None:
        return ""
    if request.due_at < at:
        return "late"
    return "soon" if request.warn_at is not None and request.warn_at <= at else ""


def due_words(request: Request, at: datetime) -> str:
    """When the present state is due, in a few words; nothing where nobody is waited for."""
    if request.due_at is None:
        return ""
    if request.due_at < at:
        days = (at - request.due_at).days
        return ngettext("One day overdue", "%(num)s days overdue", days) if days else str(_OVERDUE)
    days = (request.due_at - at).days
    return ngettext("Due in one day", "Due in %(num)s days", days) if days else str(_DUE_SOON)


_OVERDUE, _DUE_SOON = _("Overdue"), _("Due within a day")


def day_in(moment: datetime | None, zone: str) -> str:
    """The day of a moment in a school's own time: Tue, Oct 20."""
    if moment is None:
        return ""
    locale = str(get_locale() or "en")
    return format_skeleton("MMMEd", moment, tzinfo=ZoneInfo(zone), locale=locale)


def in_zone(moment: datetime | None, zone: str, part: str = "whole") -> str:
    """A moment on a page, in a school's own time: Tue, Oct 20, 9:30 AM (or only the time)."""
    if moment is None:
        return ""
    locale, tz = str(get_locale() or "en"), ZoneInfo(zone)
    time = format_time(moment, "short", tzinfo=tz, locale=locale)
    if part == "time":
        return time
    return f"{format_datetime(moment, 'EEE, MMM d, y', tzinfo=tz, locale=locale)}, {time}"
