"""Mentoring: a pair begins, the mentor says how it goes, it is closed with thanks or stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from crm.accounts.audit import record
from crm.alumni.models import Alumnus
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import Viewer
from crm.interactions import service as interactions
from crm.interactions.models import Mode
from segments.clearance.queries import cleared_on
from segments.mentoring.closing import close_pairs
from segments.mentoring.models import (
    MentorCapacity,
    MentorCheckin,
    MentorPair,
    PairState,
    Word,
)
from segments.mentoring.queries import has_now, takes_at_most
from segments.mentoring.rules import MOST_WEEKS, MentoringRules, checkin_days

MAX_MENTEE, MAX_LINE, MAX_REASON = 80, 500, 500
MOST_HOURS = Decimal(99)
USUAL_HOURS = Decimal(1)


@dataclass(frozen=True)
class Plan:
    """What a pair begins with. `level` is the clearance that being with the pupil takes."""

    alumnus_id: int
    school_id: int
    mentee: str
    starts_on: date
    weeks: int | None = None
    level: int = 2
    request_id: int | None = None
    ask_id: int | None = None


def begin(session: Session, plan: Plan, *, by: Viewer, at: datetime) -> MentorPair:
    """Begin a pair with its check-ins.

    Raises `Invalid` with the field at fault, and `Conflict` for a mentor who takes no more pupils
    or lacks the clearance on the first day (law 6).
    """
    rules = chosen(session, MentoringRules)
    weeks, mentee = plan.weeks or rules.weeks, plan.mentee.strip()
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid("It may last 1 to %(most)s weeks.", field="weeks", most=MOST_WEEKS)
    if not 1 <= len(mentee) <= MAX_MENTEE:
        raise Invalid("Use at most %(most)s characters.", field="mentee", most=MAX_MENTEE)
    _check_mentor(session, plan, rules)
    pair = MentorPair(
        alumnus_id=plan.alumnus_id, school_id=plan.school_id, request_id=plan.request_id,
        ask_id=plan.ask_id, mentee=mentee, level=plan.level, starts_on=plan.starts_on,
        ends_on=plan.starts_on + timedelta(weeks=weeks), state=PairState.ACTIVE,
        created_by=by.user_id, created_at=at,
    )  # fmt: skip
    session.add(pair)
    session.flush()
    for number, day in enumerate(checkin_days(pair.starts_on, pair.ends_on, rules), start=1):
        session.add(
            MentorCheckin(
                pair_id=pair.id, alumnus_id=pair.alumnus_id, number=number, due_on=day
            )
        )  # fmt: skip
    record(session, "pair.begun", kind="pair", key=pair.id, by=by, at=at)
    session.flush()
    return pair


def _check_mentor(session: Session, plan: Plan, rules: MentoringRules) -> None:
    session.flush()
    mine = select(
        has_now() < takes_at_most(rules.most),
        cleared_on(plan.level, plan.starts_on, plan.school_id),
    ).where(Alumnus.id == plan.alumnus_id)
    # Two pairs of one mentor that begin at one instant are counted one after the other.
    session.execute(select(Alumnus.id).where(Alumnus.id == plan.alumnus_id).with_for_update())
    free, cleared = session.execute(mine).one()
    if not free:
        raise Conflict("This mentor takes no more pupils at present.")
    if not cleared:
        raise Conflict("This mentor lacks the clearance to work with pupils on the first day.")


def answer(
    session: Session, checkin: MentorCheckin, word: Word, *, line: str = "",
    hours: Decimal | None = None, at: datetime,
) -> None:  # fmt: skip
    """What the mentor said: met (with hours), not yet, or stop, which ends the pair.

    Saying something else later counts; a pair that is over takes no more words.
    """
    pair = _locked(session, checkin.pair_id)
    session.refresh(checkin)
    if pair.state is not PairState.ACTIVE or checkin.sent_at is None:
        raise Conflict("This mentoring is over.")
    if hours is not None and not Decimal() < hours <= MOST_HOURS:
        raise Invalid("Give the hours as a number up to 99.", field="hours")
    first = checkin.answered_at is None
    checkin.answer, checkin.answered_at = word, at
    checkin.line = line.replace("\x00", "").strip()[:MAX_LINE]
    checkin.hours = (hours or USUAL_HOURS) if word is Word.MET else None
    if checkin.missed_at is not None and checkin.settled_at is None:
        checkin.settled_at = at
    if first:
        interactions.record(
            session, checkin.alumnus_id, occurred_at=at, kind="ask_answered",
            mode=Mode.COMMUNICATION, dedupe_key=f"checkin:{checkin.id}", note=word.value,
            origin=f"pair:{pair.id}",
        )  # fmt: skip
    if word is Word.STOP:
        _stop(session, pair, checkin.line, at)
    session.flush()


def end_early(session: Session, pair: MentorPair, reason: str, *, by: Viewer, at: datetime) -> None:
    """Stop a pair before its time, with the reason; hours so far are recorded and thanked for."""
    pair = _locked(session, pair.id)
    if pair.state is not PairState.ACTIVE:
        raise Conflict("This mentoring is over.")
    if not reason.strip():
        raise Invalid("Say why it ends early.", field="reason")
    _stop(session, pair, reason, at)
    record(session, "pair.ended", kind="pair", key=pair.id, by=by, at=at)
    session.flush()


def _stop(session: Session, pair: MentorPair, reason: str, at: datetime) -> None:
    pair.reason = reason.replace("\x00", "").strip()[:MAX_REASON]
    session.flush()
    close_pairs(session, [pair.id], state=PairState.ENDED, at=at)
    session.refresh(pair)


def close(session: Session, pair: MentorPair, *, by: Viewer, at: datetime) -> None:
    """Close a pair as planned: its hours are recorded and the mentor is thanked."""
    pair = _locked(session, pair.id)
    if pair.state is not PairState.ACTIVE:
        raise Conflict("This mentoring is over.")
    close_pairs(session, [pair.id], state=PairState.DONE, at=at)
    record(session, "pair.closed", kind="pair", key=pair.id, by=by, at=at)
    session.refresh(pair)


def settle(session: Session, checkin: MentorCheckin, *, by: Viewer, at: datetime) -> None:
    """Note that somebody spoke with the mentor whose check-in was missed."""
    if checkin.missed_at is None or checkin.settled_at is not None:
        raise Conflict("This check-in needs nobody.")
    checkin.settled_at, checkin.settled_by = at, by.user_id
    record(session, "pair.settled", kind="pair", key=checkin.pair_id, by=by, at=at)
    session.flush()


def set_capacity(
    session: Session, alumnus_id: int, most: int | None, *, by: Viewer, at: datetime
) -> None:
    """How many pupils a mentor takes at once; None: the district's usual number."""
    if most is not None and not 0 <= most <= 20:
        raise Invalid("Choose a number from 0 to 20.", field="most")
    session.execute(delete(MentorCapacity).where(MentorCapacity.alumnus_id == alumnus_id))
    if most is not None:
        session.add(MentorCapacity(alumnus_id=alumnus_id, most=most))
    record(
        session, "pair.capacity", kind="alumnus", key=alumnus_id, by=by, at=at, places=most
    )  # fmt: skip
    session.flush()


def has_pair(session: Session, ask_id: int) -> bool:
    """Whether a yes has led to a pair."""
    return bool(session.scalar(select(exists().where(MentorPair.ask_id == ask_id))))


def _locked(session: Session, pair_id: int) -> MentorPair:
    session.flush()
    statement = select(MentorPair).where(MentorPair.id == pair_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()
