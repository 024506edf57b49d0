"""What kinds of interaction are called, and which CASE mode each belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _

from crm.interactions.models import Mode

MODES: Mapping[Mode, Any] = {
    Mode.VOLUNTEER: _("Volunteering"),
    Mode.EXPERIENTIAL: _("Taking part"),
    Mode.PHILANTHROPIC: _("Giving"),
    Mode.COMMUNICATION: _("Keeping in touch"),
}
KINDS: Mapping[str, Any] = {
    "talk_given": _("Gave a talk"),
    "mentoring": _("Mentored"),
    "help_given": _("Helped a school"),
    "event_attended": _("Came to an event"),
    "event_answered": _("Answered an invitation"),
    "gift": _("Gave a gift"),
    "call": _("Spoke by phone"),
    "meeting": _("Met in person"),
    "letter": _("Wrote to us"),
    "replied": _("Replied to a message"),
    "link_clicked": _("Opened a link"),
    "profile_updated": _("Updated their profile"),
    "ask_answered": _("Answered a request"),
}
BY_HAND: Mapping[str, Mode] = {
    "talk_given": Mode.VOLUNTEER,
    "mentoring": Mode.VOLUNTEER,
    "help_given": Mode.VOLUNTEER,
    "event_attended": Mode.EXPERIENTIAL,
    "gift": Mode.PHILANTHROPIC,
    "call": Mode.COMMUNICATION,
    "meeting": Mode.COMMUNICATION,
    "letter": Mode.COMMUNICATION,
}
"""What staff may record themselves; the rest is recorded by the program."""


def kind_label(kind: str) -> str:
    """What a kind is called; one that a file brought is shown by its own name."""
    known = KINDS.get(kind)
    return str(known) if known else kind.replace("_", " ").capitalize()
