"""What the page behind an invitation's link shows, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import segno
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from crm.events import queries
from crm.events.answers import Outcome, takes_change, takes_yes
from crm.events.letters import page_address
from crm.events.models import Answer, Event, EventState, Invitation
from crm.events.words import when_words, where_words, zone_of
from crm.links.service import bound_address, mask
from crm.links.tokens import Opened
from crm.mail.markdown import blocks
from crm.web.moments import day, spoken

WORDS = ("yes", "maybe", "no")


def values(
    session: Session, link: Opened, event: Event, mine: Invitation, language: str, *, at: datetime
) -> Mapping[str, Any]:
    """The page's values. `mood`: ask, coming, waiting, maybe, declined, late, cancelled or over."""
    mood, coming = _mood(event, mine, at), mine.answer is Answer.COMING
    text = event.text(language)
    waiting = mine.answer is Answer.WAITING
    ticket = page_address(event, link.alumnus, at=at, purpose="check-in")
    point = bound_address(session, link.claim)
    return {
        "event": event, "mine": mine, "mood": mood, "text": text,
        "about": about(text),
        "when": when_words(event, language), "where": where_words(event),
        "answer_by": day(event.answer_by, zone_of(event), spoken(language))
        if event.answer_by else "",
        "join": event.virtual_address if coming else "",
        "code": qr_code(ticket) if mood == "coming" else None,
        "line": queries.place_in_line(session, mine) if waiting else 0,
        "room": queries.free(session, event) if waiting else None,
        "may_yes": takes_yes(event, at), "may_change": takes_change(event, at),
        "line_words": others_before, "name": masked_name(link),
        "address": mask(point.value) if point else "",
    }  # fmt: skip


def about(text: Mapping[str, str]) -> list[tuple[Markup, str]]:
    """A description as (clean HTML, address if it is a button)."""
    return [(Markup(b.html), b.href) for b in blocks(text["description"])]  # noqa: S704 - cleaned


def _mood(event: Event, mine: Invitation, at: datetime) -> str:
    if event.state is EventState.CANCELLED:
        return "cancelled"
    if event.state in {EventState.HELD, EventState.DRAFT} or event.ends_at <= at:
        return "over"
    if mine.answer is not Answer.NONE:
        return mine.answer.value
    return "ask" if takes_yes(event, at) else "late"


def masked_name(link: Opened) -> str:
    """Enough of a name for its owner to know it: `Rosa D.`"""
    person = link.alumnus
    family = person.family_name[:1]
    return f"{person.greeting_name} {family}." if family else person.greeting_name


def qr_code(address: str) -> Markup:
    """An address as a drawn code, black on white also where the page is dark."""
    code = segno.make(address, micro=False, error="m")
    drawn = code.svg_inline(
        omitsize=True, light="#ffffff", dark="#000000", svgclass="hc-scan", lineclass=None,
        title=_("The code of your ticket"),
    )  # fmt: skip
    return Markup(drawn)  # noqa: S704 - made of numbers


def form_values(mine: Invitation) -> dict[str, Any]:
    """What the form shows of an answer that was given."""
    return {"guests": mine.guests, "guest_names": mine.guest_names, "needs": mine.needs}


def said(outcome: Outcome) -> tuple[str, str]:
    """The sentence for what came of an answer, and its category."""
    sentences = {
        Outcome.COMING: _("You are coming. We look forward to you!"),
        Outcome.WAITING: _("It is full at the moment. You are on the waiting list."),
        Outcome.MAYBE: _("Thank you. Tell us when you know."),
        Outcome.DECLINED: _("Thank you for telling us."),
        Outcome.NO_ROOM: _("There is no room for more guests. Your own place is kept as it was."),
        Outcome.LATE: _(
            "The time to say yes has passed. You can still tell us that you do not come."
        ),
        Outcome.OVER: _("This can no longer be changed."),
    }  # fmt: skip
    good = outcome in {Outcome.COMING, Outcome.MAYBE, Outcome.DECLINED}
    return sentences[outcome], "message" if good else "info"


def others_before(line: int) -> str:
    """Where somebody stands in line, in words."""
    if line <= 1:
        return _("You are the next in line.")
    return ngettext("%(num)s person is before you.", "%(num)s people are before you.", line - 1)
