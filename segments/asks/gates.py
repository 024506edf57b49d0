"""What asks decide for others: whether a letter may still go, whose contact data is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, false, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.extend import FieldMatch, QueryContext
from crm.core.viewer import Permission, Viewer
from crm.interactions.models import Interaction, Mode
from crm.mail.models import Message
from crm.mail.reasons import EXPIRED, RELEASED, STOPPED
from segments.asks.eligibility import cleared_for, need_of
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.requests.models import Request
from segments.requests.service import ASKABLE

PREFIX = "ask:"
NOT_CLEARED = "not_cleared"


def still_to_ask(session: Session, ids: Sequence[UUID], at: datetime) -> Mapping[UUID, str]:
    """The letters of asks that must not go any more, each with the reason.

    The letter that asks has its origin as its key; letters that follow an answer have longer ones
    and pass, except for confirmations of a promise that was taken back since.
    """
    asked = func.concat(PREFIX, Ask.id)
    rows = session.execute(
        select(Message.id, Message.key, Message.origin, Ask, Commitment.state.label("promise"))
        .join(Ask, asked == Message.origin)
        .outerjoin(Commitment, Commitment.ask_id == Ask.id)
        .where(among(Message.id, ids))
    ).all()
    held: dict[UUID, str] = {}
    asking: dict[int, list[tuple[UUID, Ask]]] = {}
    for row in rows:
        if row.key == row.origin and row.Ask.request_id is None:
            if (reason := _why_closed(row.Ask, at)) is not None:
                held[row.id] = reason
        elif row.key == row.origin:
            asking.setdefault(row.Ask.request_id, []).append((row.id, row.Ask))
        elif _needs_promise(row.key) and row.promise is CommitmentState.CANCELLED:
            held[row.id] = STOPPED
    for request_id, letters in asking.items():
        held |= _held(session, session.get_one(Request, request_id), letters, at)
    return held


def _needs_promise(key: str) -> bool:
    """Whether a letter only makes sense while a promise stands."""
    return ":confirmed:" in key or key.endswith(":reminder")


def _held(
    session: Session, request: Request, letters: list[tuple[UUID, Ask]], at: datetime
) -> dict[UUID, str]:
    """Those of one request that are no longer open, or whose person lost their clearance."""
    need = need_of(session, request, at)
    cleared: set[int] = set()
    if need.dates and request.state in ASKABLE:
        people = Alumnus.id.in_([ask.alumnus_id for _, ask in letters])
        for choice in need.dates:
            cleared |= set(
                session.scalars(select(Alumnus.id).where(people, cleared_for(need, choice)))
            )
    return {
        message_id: reason
        for message_id, ask in letters
        if (reason := _why_held(ask, request, cleared=ask.alumnus_id in cleared, at=at)) is not None
    }


def _why_held(ask: Ask, request: Request, *, cleared: bool, at: datetime) -> str | None:
    if request.state not in ASKABLE and _why_closed(ask, at) != EXPIRED:
        return RELEASED if ask.state is AskState.RELEASED else STOPPED
    return _why_closed(ask, at) or (None if cleared else NOT_CLEARED)


def _why_closed(ask: Ask, at: datetime) -> str | None:
    """Why an ask needs no letter any more, whatever it is for."""
    if ask.state is AskState.NONE or (ask.expires_at is not None and ask.expires_at <= at):
        return EXPIRED
    if ask.state is AskState.CANCELLED:
        return STOPPED
    return None if ask.state is AskState.OPEN else RELEASED


def promised_to(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Alumnus.id`: said yes to a school of this viewer, who therefore may write."""
    if not viewer.may(Permission.REQUESTS_CREATE):
        return false()
    promise = exists().where(
        Commitment.alumnus_id == Alumnus.id,
        Commitment.state.not_in([CommitmentState.CANCELLED, CommitmentState.CLEARING]),
        Request.id == Commitment.request_id,
    )
    if viewer.school_ids is not None:
        promise = promise.where(Request.school_id.in_(sorted(viewer.school_ids)))
    return promise


def was_asked(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """The query field `asked:`: an ask reached them within the range."""
    reached = Ask.alumnus_id == Alumnus.id, Ask.state != AskState.CANCELLED
    return exists().where(*reached, *_within(Ask.asked_at, match))


def has_answered(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """The query field `answered:`: they ever answered an ask so."""
    return exists().where(Ask.alumnus_id == Alumnus.id, Ask.state == AskState(match.low))


def has_helped(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """The query field `helped:`: they gave time within the range."""
    gave = (
        Interaction.alumnus_id == Alumnus.id,
        Interaction.mode == Mode.VOLUNTEER,
        Interaction.machine.is_(False),
    )
    return exists().where(*gave, *_within(Interaction.occurred_at, match))


def _within(column: Any, match: FieldMatch) -> Iterable[ColumnElement[bool]]:
    if match.low is not None:
        yield column >= match.low
    if match.high is not None:
        yield column < match.high
