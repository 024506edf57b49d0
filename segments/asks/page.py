"""What the page behind an ask's link shows, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from babel.dates import format_skeleton
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Subject, Way
from crm.schools.models import School
from crm.web.moments import when
from segments.asks.answers import OPEN_TO_YES, Outcome
from segments.asks.eligibility import cleared_for, free_for, need_of
from segments.asks.models import PROMISED, Ask, AskLimit, AskState, CommitmentState
from segments.asks.queries import commitment_of, places_left
from segments.asks.rules import later_choices, later_months
from segments.requests.letters import place_words
from segments.requests.models import Request, RequestState
from segments.requests.service import ASKABLE

SEASONS = {"spring": lazy_gettext("Ask me in spring"), "autumn": lazy_gettext("Ask me in autumn")}
LARGEST = 2**63 - 1


def months(today: date, language: str) -> list[tuple[str, str]]:
    """(value, name) of the months that an ask can be put off to."""
    return [
        (f"{month:%Y-%m}", format_skeleton("yMMMM", month, locale=language))
        for month in later_months(today)
    ]


def own_limit(session: Session, alumnus_id: int) -> int | None:
    """How often in a year the person said they want to be asked at most."""
    limit = session.get(AskLimit, alumnus_id)
    return limit.most if limit is not None else None


def values(session: Session, ask: Ask, language: str, *, at: datetime) -> Mapping[str, Any]:
    """The page's values. `mood` says which page it is: ask, yes, no, full, late, closed or over."""
    request = session.get_one(Request, ask.request_id)
    school = session.get_one(School, request.school_id)
    need = need_of(session, request, at)
    promised = commitment_of(session, ask.id)
    planned = promised is not None and promised.state in PROMISED
    left = places_left(session, request)
    choices = []
    for choice in need.dates:
        fits = select(
            exists().where(
                Alumnus.id == ask.alumnus_id, cleared_for(need, choice), free_for(choice)
            )
        )
        if session.scalar(fits) and not (
            planned and promised and promised.starts_at == choice.starts_at
        ):
            choices.append((choice.id, when(choice.starts_at, choice.ends_at, need.zone, language)))
    mood = _mood(ask, request, promised, left=left, choices=choices, at=at)
    subject = session.get(Subject, request.subject_key) if request.subject_key else None
    way = session.get_one(Way, request.way_key)
    return {
        "request_row": request, "school": school, "mood": mood,
        "choices": choices if mood in {"ask", "late", "no", "yes"} else [],
        "way": _(way.label), "subject": _(subject.label) if subject else "",
        "place": place_words(request, school, language), "promised": promised,
        "clearing": promised is not None and promised.state is CommitmentState.CLEARING,
        "time": when(promised.starts_at, promised.ends_at, need.zone, language)
        if promised is not None else "",
        "answer_by": when(ask.expires_at, ask.expires_at, need.zone, language).rpartition(" – ")[0]
        if ask.expires_at and mood == "ask" else "",
        "seasons": [(key, SEASONS[key]) for key in later_choices(at.date())],
        "months": months(at.date(), language), "limit": own_limit(session, ask.alumnus_id),
    }  # fmt: skip


def _mood(
    ask: Ask, request: Request, promised: Any, *, left: int, choices: list[Any], at: datetime
) -> str:
    if promised is not None and promised.state in {
        CommitmentState.ATTENDED, CommitmentState.MISSED
    }:  # fmt: skip
        return "over"
    if promised is not None and promised.state in PROMISED:
        return "yes" if promised.starts_at > at else "over"
    if ask.state not in OPEN_TO_YES or request.state not in {*ASKABLE, RequestState.FILLED}:
        return "closed"
    if ask.state is AskState.DECLINED:
        return "no" if choices and left else "declined"
    if left < 1:
        return "full"
    if not choices:
        return "closed"
    return "ask" if ask.state is AskState.OPEN and (ask.expires_at or at) >= at else "late"


def said(outcome: Outcome) -> tuple[str, str]:
    """The sentence for how a yes ended, and its category."""
    words = {
        Outcome.ACCEPTED: _("Thank you! It is settled, and the school knows."),
        Outcome.CLEARING: _(
            "Thank you! Your place is held while you are cleared. We wrote to you what it takes."
        ),
        Outcome.FULL: _("Thank you for your yes. Somebody else took the last place just before."),
        Outcome.CLOSED: _("Thank you. The school no longer needs this."),
        Outcome.NOT_CLEARED: _(
            "Thank you. Your clearance to work with pupils does not cover this day. "
            "The alumni office will help you to renew it."
        ),
        Outcome.BUSY: _("You promised to help elsewhere at that time."),
    }
    return words[outcome], "message" if outcome in {Outcome.ACCEPTED, Outcome.CLEARING} else "info"


def number(text: str) -> int:
    """The number in a form value, or 0 for what is none."""
    fine = text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST
    return int(text) if fine else 0
