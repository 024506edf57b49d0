"""What stands in the way of asking somebody, in words."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

WORDS: dict[str, Any] = {
    "way_not_offered": _("do not offer this kind of help"),
    "deceased": _("have died"),
    "blocked": _("have a privacy block (FERPA) on their record"),
    "do_not_contact": _("are marked “do not contact”"),
    "under_age": _("are under 18"),
    "paused": _("asked for a pause"),
    "no_address": _("have no working mail address of their own"),
    "consent_withdrawn": _("asked not to be asked"),
    "said_never": _("said never to this kind of help"),
    "said_later": _("said: ask me later"),
    "already_asked": _("were asked for this request already"),
    "being_asked": _("are thinking about another ask"),
    "asked_lately": _("were asked not long ago"),
    "said_no_lately": _("said no to this kind of help not long ago"),
    "asked_often": _("were asked as often this year as they may be"),
    "contact_budget": _("got as much mail as one person may get in this time"),
    "not_cleared": _("lack the clearance on the date"),
    "mentor_full": _("mentor as many pupils as they can"),
    "busy": _("promised to help elsewhere at that time"),
}
"""The obstacles in the order in which they are counted, each as the end of “so many people …”."""
