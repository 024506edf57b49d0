"""Decides about a batch of due messages and claims those that may go, in one transaction.

Claims take one lock after another: the contact budget and "once per address" look at what others
have claimed, so two deliverers must not decide at the same moment. Handing over needs no lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    Row,
    Table,
    Text,
    Uuid,
    bindparam,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.alumni.models import AlumnusChange
from crm.core.database import UTCDateTime, given_rows, given_table, take_lock
from crm.mail import facts, policy, reasons
from crm.mail.deciding import decide_all
from crm.mail.facts import Group, Place
from crm.mail.models import Message, MessageClass, MessageState, SendAttempt
from crm.mail.transport import Guarantee, Transport

LOCK = 0x686F6D65
"""The advisory lock that claims take one after another ("home")."""
HANDED_OVER = "handed over"
EXIT = "exit"
MESSAGE = cast(Table, Message.__table__)
_SKIPS = {"id": Uuid(), "reason": Text()}
_WAITS = {"id": Uuid(), "until": UTCDateTime()}
_TAKEN = {"id": Uuid(), "address": Text(), "point_id": MESSAGE.c.contact_point_id.type}


class Claimed(NamedTuple):
    """A message that was claimed, with what its letter needs."""

    id: UUID
    attempt: int
    origin: str
    alumnus_id: int | None
    point_id: int | None
    address: str
    link_epoch: int
    merge: dict[str, Any]


@dataclass(frozen=True)
class Consignment:
    """Claimed messages of one version, language and class: one hand-over."""

    batch_id: str
    version_id: int
    language: str
    message_class: MessageClass
    messages: Sequence[Claimed]
    send_at: datetime | None
    attached: bool


@dataclass
class Claim:
    """What one claim transaction decided. `place` is None once the group has no more rows."""

    consignments: list[Consignment] = field(default_factory=list)
    skipped: int = 0
    deferred: int = 0
    place: Place | None = None


def claim(
    session: Session, group: Group, transport: Transport, *, at: datetime, hold: timedelta,
    after: Place | None,
) -> Claim:  # fmt: skip
    """Decide about the next messages of a group and claim what may go; the caller commits."""
    take_lock(session, LOCK)
    rows = facts.pick(session, group, at=at, after=after, size=transport.size)
    if not rows:
        return Claim()
    fence = transport.guarantee is Guarantee.FENCE and not _immediate(group) and hold
    send_at = at + hold if fence else None
    decisions = decide_all(session, group, rows, moment=send_at or at, at=at)
    result = Claim(
        place=(rows[-1].not_before, rows[-1].id) if len(rows) == transport.size else None
    )
    # A provider takes files for a whole request, so each mail with files is one of its own there.
    going: dict[tuple[str, UUID | None], list[Row[Any]]] = defaultdict(list)
    skips: dict[UUID, str] = {}
    waits: dict[UUID, datetime] = {}
    for row, language, decision in decisions:
        if isinstance(decision, policy.Skip):
            skips[row.id] = decision.reason
        elif isinstance(decision, policy.Wait):
            waits[row.id] = decision.until
        else:
            apart = row.attached and transport.files_apart
            going[language, row.id if apart else None].append(row)
    result.skipped, result.deferred = len(skips), len(waits)
    _skip(session, skips, at)
    _defer(session, waits)
    for (language, _apart), members in going.items():
        name = transport.new_batch() if send_at else uuid4().hex
        batch = (name, group, language, send_at)
        result.consignments.append(_take(session, members, batch, at))
    return result


def _immediate(group: Group) -> bool:
    return group.message_class is MessageClass.IMMEDIATE


def _skip(session: Session, skips: dict[UUID, str], at: datetime) -> None:
    if not skips:
        return
    told = given_rows(_SKIPS, ({"id": i, "reason": why} for i, why in skips.items()))
    session.connection().execute(_skipping(), {**told, "moment": at})
    session.connection().execute(_marking(), told)


@cache
def _marking() -> Any:
    """Marks people as changed who leave what decided a message since the budget is used up."""
    given = given_table(_SKIPS)
    leaving = select(MESSAGE.c.alumnus_id).join(given, MESSAGE.c.id == given.c.id)
    leaving = leaving.where(
        MESSAGE.c.on_cap == EXIT, given.c.reason == reasons.CONTACT_BUDGET,
        MESSAGE.c.alumnus_id.is_not(None),
    )  # fmt: skip
    return insert(cast(Table, AlumnusChange.__table__)).from_select(["alumnus_id"], leaving)


@cache
def _skipping() -> Any:
    given = given_table(_SKIPS)
    ended = bindparam("moment", type_=UTCDateTime())
    statement = update(MESSAGE).where(MESSAGE.c.id == given.c.id)
    return statement.values(state=MessageState.SKIPPED, reason=given.c.reason, ended_at=ended)


def _defer(session: Session, waits: dict[UUID, datetime]) -> None:
    if not waits:
        return
    told = given_rows(_WAITS, ({"id": i, "until": until} for i, until in waits.items()))
    given = given_table(_WAITS)
    statement = update(MESSAGE).where(MESSAGE.c.id == given.c.id)
    session.connection().execute(statement.values(not_before=given.c.until), told)


def _take(
    session: Session,
    rows: list[Row[Any]],
    batch: tuple[str, Group, str, datetime | None],
    at: datetime,
) -> Consignment:
    """Mark the rows as claimed under one batch name, with the note of the attempt."""
    batch_id, group, language, send_at = batch
    told = given_rows(
        _TAKEN, ({"id": r.id, "address": r.address, "point_id": r.point_id} for r in rows)
    )
    batched = {"batch": batch_id, "moment": at, "leaves": send_at, "written": language}
    session.connection().execute(_taking(), {**told, **batched})
    note_attempts(session, batch_id, at)
    messages = [
        Claimed(
            row.id, row.attempt + 1, row.origin, row.alumnus_id, row.point_id, row.address,
            row.link_epoch or 0, row.merge or {},
        )
        for row in rows
    ]  # fmt: skip
    return Consignment(
        batch_id,
        group.version_id,
        language,
        group.message_class,
        messages,
        send_at,
        attached=any(row.attached for row in rows),
    )


@cache
def _taking() -> Any:
    given = given_table(_TAKEN)
    moment = UTCDateTime()
    return (
        update(MESSAGE)
        .where(MESSAGE.c.id == given.c.id)
        .values(
            state=MessageState.CLAIMED, attempt=MESSAGE.c.attempt + 1, batch_id=bindparam("batch"),
            claimed_at=bindparam("moment", type_=moment), send_at=bindparam("leaves", type_=moment),
            to_address=given.c.address, contact_point_id=given.c.point_id,
            language=bindparam("written"), reason=None,
        )
    )  # fmt: skip


def note_attempts(session: Session, batch_id: str, at: datetime) -> None:
    """Write down, before anything is handed over, that these messages are about to be."""
    session.connection().execute(_noting(), {"batch": batch_id, "moment": at})


@cache
def _noting() -> Any:
    rows = select(
        MESSAGE.c.id, MESSAGE.c.attempt, MESSAGE.c.batch_id,
        bindparam("moment", type_=UTCDateTime()), literal(HANDED_OVER),
    ).where(
        MESSAGE.c.batch_id == bindparam("batch"), MESSAGE.c.state == MessageState.CLAIMED
    )  # fmt: skip
    columns = ["message_id", "attempt", "batch_id", "at", "result"]
    attempts = cast(Table, SendAttempt.__table__)
    return insert(attempts).from_select(columns, rows).on_conflict_do_nothing()
