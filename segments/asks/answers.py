"""What the person asked answers: yes to a date, no, later, never, and second thoughts.

Every verb first holds the request's row, so that of two people who say yes to the last place at
the same instant one gets it and the other is told so kindly.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.alumni.service import set_interests
from crm.core.errors import Conflict, Invalid
from crm.interactions.models import Mode
from crm.interactions.service import record
from segments.asks.calendars import calendar_file
from segments.asks.confirming import confirm_or_clear, stamp, time_of
from segments.asks.eligibility import cleared_for, free_for, need_of
from segments.asks.letters import write_to_alumnus
from segments.asks.models import PROMISED, Ask, AskState, Commitment, CommitmentState
from segments.asks.queries import commitment_of, places_left
from segments.asks.rules import NEVER, later_choices, later_months
from segments.asks.service import lock_request, release_others
from segments.requests.letters import (
    reader_language,
    request_words,
    write_to_school,
)
from segments.requests.life import move, time_it
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.queries import dates_of
from segments.requests.service import ASKABLE

OPEN_TO_YES = frozenset({AskState.OPEN, AskState.NONE, AskState.RELEASED, AskState.DECLINED})


class Outcome(StrEnum):
    """How a yes ended; `clearing`: the place is held, and the clock to be cleared runs."""

    ACCEPTED = "accepted"
    CLEARING = "clearing"
    FULL = "full"
    CLOSED = "closed"
    NOT_CLEARED = "not_cleared"
    BUSY = "busy"


def accept(session: Session, ask: Ask, *, date_id: int, at: datetime) -> Outcome:
    """Say yes to one of the dates: the first to do so has the place.

    A late yes counts while a place is free. Saying it twice changes nothing; saying it for another
    date moves the promise. Raises `Invalid` for a date that is none of the request's, or over.
    """
    request = _locked(session, ask)
    choice = next((d for d in dates_of(session, request.id) if d.id == date_id), None)
    if choice is None or choice.starts_at <= at:
        raise Invalid("Choose one of the dates that are still ahead.", field="date")
    promised = commitment_of(session, ask.id)
    if promised is not None and promised.state in PROMISED:
        if promised.starts_at == choice.starts_at:
            return _settled(promised)
        return _move(session, ask, request, promised, choice, at=at)
    if ask.state not in OPEN_TO_YES or request.state not in {*ASKABLE, RequestState.FILLED}:
        return Outcome.CLOSED
    if places_left(session, request) < 1:
        _too_late(session, ask, request, at=at)
        return Outcome.FULL
    hindered = _hindrance(session, ask, request, choice, at)
    if hindered is not None:
        return hindered
    ask.state, ask.answered_at, ask.note, ask.rest_until = AskState.ACCEPTED, at, "", None
    promised = promised or Commitment(
        ask_id=ask.id, request_id=request.id, alumnus_id=ask.alumnus_id, created_at=at
    )
    promised.starts_at, promised.ends_at = choice.starts_at, choice.ends_at
    promised.state = CommitmentState.PLANNED
    session.add(promised)
    session.flush()
    note_answer(session, ask, "accepted", at)
    confirm_or_clear(session, ask, request, promised, at=at)
    if places_left(session, request) < 1:
        move(session, request, RequestState.FILLED, at=at)
        release_others(session, request, at=at, content="ask-released")
    session.flush()
    return _settled(promised)


def _settled(promised: Commitment) -> Outcome:
    clearing = promised.state is CommitmentState.CLEARING
    return Outcome.CLEARING if clearing else Outcome.ACCEPTED


def decline(session: Session, ask: Ask, *, how: str = "no", season: str = "", at: datetime) -> None:
    """Say no (`no`), not before a season (`later`), or never to this way (`never`).

    Takes back a yes that was given, which opens the place again and tells the school. Raises
    `Conflict` once the visit took place.
    """
    request = _locked(session, ask)
    promised = commitment_of(session, ask.id)
    if promised is not None and promised.state in {
        CommitmentState.ATTENDED, CommitmentState.MISSED
    }:  # fmt: skip
        raise Conflict("This visit is over.")
    if promised is not None and promised.state in PROMISED:
        take_back(session, ask, request, promised, at=at)
    write_no(session, ask, how=how, season=season, at=at)


def write_no(session: Session, ask: Ask, *, how: str, season: str, at: datetime) -> None:
    """Note a no on an ask whose row is held, and what it means for the next ones."""
    rest, note = _rest(how, season, at.date())
    if ask.state in {AskState.CANCELLED, AskState.RELEASED} and how == "no":
        return
    changed = ask.state is not AskState.DECLINED or ask.note != note
    ask.state, ask.answered_at, ask.note, ask.rest_until = AskState.DECLINED, at, note, rest
    if how == "never":
        keep_in_mind(session, ask, wanted=False, at=at)
    if changed:
        note_answer(session, ask, "declined", at)
    session.flush()


def keep_in_mind(session: Session, ask: Ask, *, wanted: bool = True, at: datetime) -> None:
    """Note that a person offers this way to help from now on, or no longer does."""
    mine = select(Interest.key).where(
        Interest.alumnus_id == ask.alumnus_id, Interest.kind == InterestKind.WAY
    )
    keys = set(session.scalars(mine))
    keys = keys | {ask.way_key} if wanted else keys - {ask.way_key}
    set_interests(
        session, ask.alumnus_id, kind=InterestKind.WAY, keys=keys, source=f"ask:{ask.id}", at=at
    )


def _locked(session: Session, ask: Ask) -> Request:
    """The ask's request with its row held, and the ask as it stands now."""
    if ask.request_id is None:
        raise Conflict("This ask is history.")
    request = lock_request(session, session.get_one(Request, ask.request_id))
    session.refresh(ask)
    return request


def _rest(how: str, season: str, today: date) -> tuple[date | None, str]:
    """Until when to leave them alone, and the word that the ask ends with."""
    if how == "never":
        return NEVER, "never"
    if how == "later":
        seasons = later_choices(today) | {f"{m:%Y-%m}": m for m in later_months(today)}
        if season not in seasons:
            raise Invalid("Choose when to ask you again.", field="season")
        return seasons[season], "later"
    if how != "no":
        raise Invalid("Choose one of the answers.", field="answer")
    return None, ""


def _hindrance(
    session: Session, ask: Ask, request: Request, choice: RequestDate, at: datetime
) -> Outcome | None:
    """What stands in the way of this person on this date: clearance or another promise (law 6)."""
    need = need_of(session, request, at)
    mine = Alumnus.id == ask.alumnus_id
    if not session.scalar(select(exists().where(mine, cleared_for(need, choice)))):
        return Outcome.NOT_CLEARED
    if not session.scalar(select(exists().where(mine, free_for(choice)))):
        return Outcome.BUSY
    return None


def _too_late(session: Session, ask: Ask, request: Request, *, at: datetime) -> None:
    """Tell somebody who said yes that the last place was taken before."""
    ask.state, ask.answered_at, ask.note = AskState.RELEASED, at, "accepted"
    note_answer(session, ask, "accepted", at)
    language = session.get_one(Alumnus, ask.alumnus_id).language
    (words,) = request_words(session, request, language)
    write_to_alumnus(session, ask, "ask-released", key="released", merge=words, at=at)
    session.flush()


def _move(
    session: Session, ask: Ask, request: Request, promised: Commitment, choice: RequestDate, *,
    at: datetime,
) -> Outcome:  # fmt: skip
    """The same promise on another date."""
    with session.begin_nested():
        before = promised.state
        promised.state = CommitmentState.CANCELLED  # so that it does not clash with itself
        session.flush()
        hindered = _hindrance(session, ask, request, choice, at)
        promised.state = before
        if hindered is None:
            promised.starts_at, promised.ends_at = choice.starts_at, choice.ends_at
    if hindered is None:
        time_it(session, request)
        confirm_or_clear(session, ask, request, promised, at=at)
    return hindered or _settled(promised)


def take_back(
    session: Session, ask: Ask, request: Request, promised: Commitment, *, at: datetime
) -> None:
    """A yes taken back: the place is free again, and the school learns it at once."""
    told = promised.state is CommitmentState.PLANNED  # who is being cleared is in no calendar yet
    promised.state = CommitmentState.CANCELLED
    if request.state is RequestState.FILLED:
        move(session, request, RequestState.ASKING, at=at)
    session.flush()
    language = reader_language(session, request)
    event = calendar_file(session, promised, language=language, at=at, for_school=True)
    person = session.get_one(Alumnus, ask.alumnus_id)
    write_to_school(
        session, request, "school-reopened", key=f"reopened:{ask.id}:{stamp(at)}", at=at,
        merge={"person_name": person.full_name, "time": time_of(session, promised, language)},
        attachments=[event] if told else [],
    )  # fmt: skip


def note_answer(session: Session, ask: Ask, answer: str, at: datetime) -> None:
    """An answer, whatever it is, is an engagement of its own (law 9: a person pressed a button)."""
    record(
        session, ask.alumnus_id, occurred_at=at, kind="ask_answered", mode=Mode.COMMUNICATION,
        dedupe_key=f"ask:{ask.id}:{answer}:{stamp(at)}", note=answer, origin=f"ask:{ask.id}",
    )  # fmt: skip
