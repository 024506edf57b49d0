"""Why a message did not go: one word for the database, a sentence for people."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

CONSENT_WITHDRAWN = "consent_withdrawn"
NO_CONSENT = "no_consent"
TOPIC_RETIRED = "topic_retired"
SUPPRESSED = "suppressed"
BOUNCED = "bounced"
NO_ADDRESS = "no_address"
BLOCKED = "blocked"
DECEASED = "deceased"
DO_NOT_CONTACT = "do_not_contact"
PAUSED = "paused"
TOPIC_PAUSED = "topic_paused"
UNDER_AGE = "under_age"
CONTACT_BUDGET = "contact_budget"
EXPIRED = "expired"
MERGED = "merged"
DUPLICATE_ADDRESS = "duplicate_address"
NO_LANGUAGE = "no_language"
RELEASED = "released"
STOPPED = "stopped"
REFUSED_BY_PROVIDER = "refused_by_provider"
CONTROL_GROUP = "control_group"
UNSETTLED = "unsettled"
ERASED = "erased"

SENTENCES: dict[str, Any] = {
    CONSENT_WITHDRAWN: _("they asked not to get mail about this topic"),
    NO_CONSENT: _("this topic needs their agreement, and they have not given it"),
    TOPIC_RETIRED: _("nothing is sent about this topic any more"),
    SUPPRESSED: _("their address is on the list of addresses that are never mailed"),
    BOUNCED: _("mail to their address came back as undeliverable"),
    NO_ADDRESS: _("we have no mail address of their own"),
    BLOCKED: _("a privacy block (FERPA) stands on their record"),
    DECEASED: _("they have died"),
    DO_NOT_CONTACT: _("staff marked the record “do not contact”"),
    PAUSED: _("they asked for a pause"),
    TOPIC_PAUSED: _("they asked for a break from this topic"),
    UNDER_AGE: _("they are under 18"),
    CONTACT_BUDGET: _("they already got as much mail as one person may get in this time"),
    EXPIRED: _("it could not go in time and would have come too late"),
    ERASED: _("they asked to be forgotten"),
    MERGED: _("the record was merged into another one"),
    DUPLICATE_ADDRESS: _("somebody else with the same address got it"),
    NO_LANGUAGE: _("it is not written in a language for them"),
    RELEASED: _("the place was taken before they were asked"),
    STOPPED: _("it was stopped before it went out"),
    REFUSED_BY_PROVIDER: _("the mail provider refused it"),
    CONTROL_GROUP: _("they are in the group kept aside for comparison"),
    UNSETTLED: _("it was handed over, and nobody ever said whether it went"),
}


def sentence(reason: str | None) -> str:
    """The sentence for a reason, in the reader's language; a reason unknown here is shown as is."""
    return str(SENTENCES.get(reason or "", (reason or "").replace("_", " ")))
