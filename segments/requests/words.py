"""The words that pages use for what a request may be, in one place."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time
from flask_babel import get_locale
from flask_babel import lazy_gettext as _

from segments.requests.models import GradeBand, Place, RequestState, Supervision

STATES: dict[RequestState, Any] = {
    RequestState.DRAFT: _("Draft"),
    RequestState.SUBMITTED: _("Waiting for approval"),
    RequestState.APPROVED: _("Approved"),
    RequestState.ASKING: _("Asking"),
    RequestState.FILLED: _("Filled"),
    RequestState.UNFILLED: _("Not filled"),
    RequestState.DONE: _("Done"),
    RequestState.CANCELLED: _("Cancelled"),
}
TONES: dict[RequestState, str] = {
    RequestState.SUBMITTED: "warn",
    RequestState.APPROVED: "info",
    RequestState.ASKING: "info",
    RequestState.FILLED: "good",
    RequestState.DONE: "good",
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


def in_zone(moment: datetime | None, zone: str, part: str = "whole") -> str:
    """A moment on a page, in a school's own time: Tue, Oct 20, 9:30 AM (or only the time)."""
    if moment is None:
        return ""
    locale, tz = str(get_locale() or "en"), ZoneInfo(zone)
    time = format_time(moment, "short", tzinfo=tz, locale=locale)
    if part == "time":
        return time
    return f"{format_datetime(moment, 'EEE, MMM d, y', tzinfo=tz, locale=locale)}, {time}"
