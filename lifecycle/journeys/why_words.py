"""What the figures of "why in bulk" say, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from crm.mail.reasons import sentence
from lifecycle.journeys.words import NOT_ENTERED
from segments.asks.eligibility import WORDS as OBSTACLES

WAITS, STUCK, HELD, SKIPPED, TURNED, OUT = (
    "waiting", "stuck", "held", "skipped", "turned_away", "not_entered",
)  # fmt: skip
WHAT: Mapping[str, Any] = {
    WAITS: lazy_gettext("Waiting"),
    STUCK: lazy_gettext("Set aside"),
    HELD: lazy_gettext("Message held"),
    SKIPPED: lazy_gettext("Not sent"),
    TURNED: lazy_gettext("Turned away"),
    OUT: lazy_gettext("Not entered"),
}
TONES = {WAITS: "info", STUCK: "bad", HELD: "warn", SKIPPED: "quiet", TURNED: "quiet", OUT: "quiet"}
WAITING: Mapping[str, Any] = {
    "wait": lazy_gettext("Their time is not over yet."),
    "wait_for": lazy_gettext("What they are waited for has not happened yet."),
    "wait_until": lazy_gettext("Their day has not come yet."),
}
HOLDING: Mapping[str, Any] = {
    "hours": lazy_gettext("It is outside the sending hours where they live."),
    "window": lazy_gettext("The journey's window is shut where they live."),
    "due": lazy_gettext("It goes with the next delivery."),
    "handed_over": lazy_gettext("It is being handed over, or nobody knows yet whether it went."),
}
OUTSIDE: Mapping[str, Any] = {
    "query": lazy_gettext("Several parts of the entry query do not mean them."),
    "occasion": lazy_gettext("What lets people in has not happened since the journey listens."),
    "by_hand": lazy_gettext("People are let in by hand only."),
    "next_tick": lazy_gettext("Nothing keeps them out: they enter at the next tick."),
}


def figure_words(what: str, reason: str, values: Mapping[str, Any]) -> str:
    """Why the people of a figure stand where they stand."""
    if what == WAITS:
        return str(WAITING.get(reason) or _("They go on at the next tick."))
    if what == STUCK:
        return _("Set aside with a fault: %(why)s", why=reason)
    if what == HELD and reason == "contact_budget":
        got = "; ".join(f"{limit}: {count}" for limit, count in values.items())
        return _("The contact budget is used up (%(got)s).", got=got)
    if what == HELD:
        return str(HOLDING[reason])
    if what == SKIPPED:
        return _("It was not sent: %(why)s.", why=sentence(reason))
    if what == TURNED:
        return _turned(reason, str(values.get("outcome")))
    if reason.startswith("only:"):
        return _("Of the entry query, only “%(part)s” does not mean them.", part=values["part"])
    known = OUTSIDE.get(reason)
    why = NOT_ENTERED.get(reason, reason)
    return str(known) if known else _("They may not enter: %(why)s.", why=why)


def _turned(reason: str, outcome: str) -> str:
    if outcome == "not_asked":
        return _("They were not asked: such people %(why)s.", why=OBSTACLES.get(reason, reason))
    return _("The other journey did not take them: %(why)s.", why=NOT_ENTERED.get(reason, reason))
