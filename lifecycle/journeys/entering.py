"""Writes the enrollments of people who enter, and keeps those aside who serve as a comparison."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    SmallInteger,
    String,
    case,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.district import Choices, chosen
from lifecycle.journeys.chance import WHOLE, lot_of
from lifecycle.journeys.definition import Document, delay
from lifecycle.journeys.models import Arm, Enrollment, EnrollmentState, JourneyVersion

MOMENT = Enrollment.wake_at.type
CONTROL = "control"
ENTERED = [
    "alumnus_id", "entry_key", "journey_id", "version_id", "state", "step_no", "seq", "wake_at",
    "anchor_at", "entered_at", "origin", "arm", "ended_at", "end_reason",
]  # fmt: skip


class ControlGroup(Choices):
    """How many percent of all people no measured journey takes in, and which draw they are of.

    Another `draw` keeps other people aside.
    """

    key: ClassVar[str] = "control_group"
    percent: int = Field(default=0, ge=0, le=20)
    draw: int = Field(default=1, ge=1, le=1_000)


def arm_of(document: Document, group: ControlGroup, alumnus_id: Any) -> ColumnElement[Any] | None:
    """Which comparison a person is kept aside for; null for who goes the way, None if nobody is."""
    arms = []
    if document.goal is not None and group.percent and not document.enter.everyone:
        lot = lot_of(f"district:{group.draw}", alumnus_id)
        arms.append((lot < _bound(group.percent), literal(Arm.DISTRICT.value)))
    if document.enter.holdout is not None:
        lot = lot_of(f"holdout:{document.journey}", alumnus_id)
        arms.append((lot < _bound(document.enter.holdout), literal(Arm.JOURNEY.value)))
    return case(*arms, else_=null()) if arms else None


def _bound(percent: int) -> ColumnElement[int]:
    return literal(WHOLE * percent // 100, BigInteger)


def let_in(
    session: Session, version: JourneyVersion, document: Document, at: datetime, who: Select[Any],
    *, origin: str | None = None, by_hand: bool = False,
) -> int:  # fmt: skip
    """Let in `who` (`alumnus_id` and `entry_key`, of `Alumnus`); answers how many entered.

    Those kept aside get a row that has ended; who is let in `by_hand` is never kept aside. In the
    order of their ids, so that two workers never wait for one another in a circle.
    """
    aside = None if by_hand else arm_of(document, chosen(session, ControlGroup), Alumnus.id)
    arm = literal(None, String()) if aside is None else aside
    found = who.add_columns(arm.label("arm")).order_by(Alumnus.id).subquery("found")
    ended = found.c.arm.is_not(None)
    wake_at = at + delay(document.steps[0])
    waiting, over = EnrollmentState.WAITING.value, EnrollmentState.ENDED.value
    rows = select(
        found.c.alumnus_id,
        found.c.entry_key,
        literal(version.journey_id, BigInteger),
        literal(version.id, BigInteger),
        case((ended, literal(over)), else_=literal(waiting)),
        literal(0, SmallInteger),
        literal(0, Integer),
        literal(wake_at, MOMENT),
        literal(at, MOMENT),
        literal(at, MOMENT),
        literal(origin, String),
        found.c.arm,
        case((ended, literal(at, MOMENT)), else_=null()),
        case((ended, literal(CONTROL)), else_=null()),
    )
    statement = insert(Enrollment).from_select(ENTERED, rows, include_defaults=False)
    new = statement.on_conflict_do_nothing().returning(Enrollment.arm).cte("new")
    taken = select(func.count()).select_from(new).where(new.c.arm.is_(None))
    return session.scalars(taken).one()
