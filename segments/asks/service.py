"""Asking: waves with holds, and what ends a hold that nobody answered.

Answers are in `answers.py`, what follows the date in `afterwards.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts.audit import record
from crm.alumni.models import Alumnus
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import Viewer
from crm.mail.models import Message, MessageState
from segments.asks.eligibility import first_obstacle, need_of
from segments.asks.letters import queue_asks, queue_releases
from segments.asks.models import PROMISED, Ask, AskState, Commitment, CommitmentState
from segments.asks.queries import places_left
from segments.asks.rules import hold_until
from segments.requests.life import move
from segments.requests.models import Request, RequestState
from segments.requests.service import ASKABLE

MOST_IN_A_WAVE = 50


@dataclass(frozen=True)
class Pick:
    """One person to ask, and what decided it: kept with the ask as it was (law 5)."""

    alumnus_id: int
    rank: int | None = None
    probability: float | None = None
    propensity: float | None = None
    chosen_by: str = "rank"
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
class Wave:
    """What became of a wave: whom it asked, and who could not be asked after all, by reason."""

    number: int
    asked: tuple[int, ...]
    left_out: Mapping[int, str] = field(default_factory=dict)


def send_wave(
    session: Session, request: Request, candidates: Sequence[Pick], *, by: Viewer, at: datetime
) -> Wave:
    """Ask these people, each with a hold, and queue their letters.

    Whoever meanwhile may not be asked is left out and named (law 6): the asks are written under the
    same conditions that chose the candidates. Raises `Conflict` if the request is not to be asked
    for, `Invalid` for no or too many people.
    """
    locked = lock_request(session, request)
    if locked.state not in ASKABLE:
        raise Conflict("Nobody can be asked for this request as it stands.")
    if not 1 <= len(candidates) <= MOST_IN_A_WAVE:
        raise Invalid("Choose 1 to %(most)s people to ask.", field="people", most=MOST_IN_A_WAVE)
    if places_left(session, locked) < 1:
        raise Conflict("All places are filled.")
    need = need_of(session, locked, at)
    if not need.dates:
        raise Conflict("The dates of this request are too near or over.")
    number = 1 + (
        session.scalar(select(func.max(Ask.wave)).where(Ask.request_id == locked.id)) or 0
    )
    picks = {pick.alumnus_id: pick for pick in candidates}
    judged = select(Alumnus.id, first_obstacle(need).label("obstacle")).where(
        Alumnus.id.in_(picks), Alumnus.merged_into_id.is_(None)
    )
    verdicts = {row.id: row.obstacle for row in session.execute(judged)}
    fine = [pick for pick in picks.values() if verdicts.get(pick.alumnus_id, "gone") is None]
    expires_at = hold_until(at, [choice.starts_at for choice in need.dates])
    asked = _write_asks(session, locked, fine, wave=number, at=at, expires_at=expires_at)
    left_out = {i: verdicts.get(i, "gone") or "being_asked" for i in picks if i not in asked}
    if asked:
        move(session, locked, RequestState.ASKING, at=at)
        locked.reason = None
        queue_asks(session, locked, list(asked.values()), at=at)
        record(
            session, "request.asked", kind="request", key=locked.id, by=by, at=at, wave=number,
            asked=len(asked), left_out=len(left_out),
        )  # fmt: skip
    session.flush()
    return Wave(number, tuple(asked.values()), left_out)


def lock_request(session: Session, request: Request) -> Request:
    """The request with its row held until the transaction ends, as it stands now."""
    session.flush()
    statement = select(Request).where(Request.id == request.id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _write_asks(
    session: Session, request: Request, picks: Sequence[Pick], *,
    wave: int, at: datetime, expires_at: datetime,
) -> dict[int, int]:  # fmt: skip
    """The new asks: person → ask. Two waves at one instant cannot both reach a person."""
    if not picks:
        return {}
    rows: list[dict[str, Any]] = [
        {
            "request_id": request.id, "alumnus_id": pick.alumnus_id, "way_key": request.way_key,
            "state": AskState.OPEN, "asked_at": at, "expires_at": expires_at, "wave": wave,
            "rank": pick.rank, "probability": pick.probability, "propensity": pick.propensity,
            "chosen_by": pick.chosen_by, "reasons": list(pick.reasons), "note": "",
        }
        for pick in picks
    ]  # fmt: skip
    statement = insert(Ask).values(rows).on_conflict_do_nothing()
    written = session.execute(statement.returning(Ask.alumnus_id, Ask.id))
    return dict(written.all())


def expire_holds(session: Session, at: datetime) -> int:
    """End the holds whose time is over; answers how many. The place goes to the next wave."""
    session.flush()
    statement = (
        update(Ask)
        .where(Ask.state == AskState.OPEN, Ask.expires_at <= at)
        .values(state=AskState.NONE)
        .returning(Ask.id)
    )
    return len(_executed(session, statement))


def settle_unsent(session: Session) -> int:
    """Call off the asks whose letter did not go, with the reason why (law 4); answers how many.

    Nobody was asked by a letter that never left, so such an ask costs its person no rest.
    """
    session.flush()
    statement = (
        update(Ask)
        .where(
            Ask.state.in_([AskState.OPEN, AskState.NONE]),
            Ask.expires_at.is_not(None),  # not one that a file told of
            Message.key == func.concat("ask:", Ask.id),
            Message.state.in_([MessageState.SKIPPED, MessageState.FAILED]),
        )
        .values(state=AskState.CANCELLED, note=func.coalesce(Message.reason, literal("failed")))
        .returning(Ask.id)
    )
    return len(_executed(session, statement))


def release_others(session: Session, request: Request, *, at: datetime, content: str) -> None:
    """End the open asks of a request, and say so to those who got their letter already."""
    told = select(Message.origin).where(
        Message.key == func.concat("ask:", Ask.id),
        Message.state.not_in([MessageState.QUEUED, MessageState.SKIPPED, MessageState.FAILED]),
    )
    open_asks = select(Ask.id, told.exists().label("told")).where(
        Ask.request_id == request.id, Ask.state == AskState.OPEN
    )
    rows = session.execute(open_asks.with_for_update(of=Ask)).all()
    ids = [row.id for row in rows]
    ended = AskState.CANCELLED if request.state is RequestState.CANCELLED else AskState.RELEASED
    _executed(session, update(Ask).where(Ask.id.in_(ids)).values(state=ended).returning(Ask.id))
    queue_releases(session, request, [row.id for row in rows if row.told], content, at=at)


def call_off(session: Session, request: Request, by: Viewer, at: datetime) -> None:
    """What a cancelled request means for those asked and those who had said yes."""
    release_others(session, request, at=at, content="ask-cancelled")
    promised = session.scalars(
        update(Commitment)
        .where(Commitment.request_id == request.id, Commitment.state.in_(PROMISED))
        .values(state=CommitmentState.CANCELLED)
        .returning(Commitment.ask_id)
    ).all()
    queue_releases(session, request, list(promised), "visit-cancelled", at=at)
    session.flush()
    session.expire_all()


def _executed(session: Session, statement: Any) -> Sequence[Any]:
    """The rows of an update of asks; those that the session holds are read again when looked at."""
    session.flush()
    rows = session.execute(statement, execution_options={"synchronize_session": False}).all()
    for held in [row for row in session.identity_map.values() if isinstance(row, Ask)]:
        session.expire(held)
    return rows
