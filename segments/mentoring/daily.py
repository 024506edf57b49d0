"""What days bring to pairs, set-based: check-ins go out, some are missed, the planned end comes.

An edge: commits step by step, and a second run on the same day does nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, func, select, update
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.district import chosen
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_many
from crm.schools.models import School
from segments.clearance.queries import office_day
from segments.mentoring.closing import TOPIC, close_pairs
from segments.mentoring.models import MentorCheckin, MentorPair, PairState
from segments.mentoring.rules import MentoringRules

CONTENT = "mentor-checkin"
BATCH = 5_000


@dataclass
class Passed:
    """What one run did."""

    sent: int = 0
    missed: int = 0
    closed: int = 0

    def plain(self) -> dict[str, int]:
        """The figures by name."""
        return asdict(self)


def advance_pairs(at: datetime) -> Passed:
    """Do what is due on the day that it is at the office."""
    session, done = db.session(), Passed()
    today = office_day(session, at)
    done.sent = send_due(session, today, at)
    session.commit()
    done.missed = note_missed(session, at)
    session.commit()
    over = select(MentorPair.id).where(
        MentorPair.state == PairState.ACTIVE, MentorPair.ends_on <= today
    )
    while ids := list(session.scalars(over.order_by(MentorPair.id).limit(BATCH))):
        done.closed += close_pairs(session, ids, state=PairState.DONE, at=at)
        session.commit()
    return done


def send_due(session: Session, today: date, at: datetime) -> int:
    """Ask the mentors whose day it is; of several days that passed unasked, the latest only."""
    due = (
        select(
            MentorCheckin.id,
            func.row_number()
            .over(
                partition_by=MentorCheckin.pair_id, order_by=MentorCheckin.number.desc()
            )
            .label("turn"),
        )
        .join(MentorPair, MentorPair.id == MentorCheckin.pair_id)
        .where(
            MentorCheckin.sent_at.is_(None), MentorCheckin.due_on <= today,
            MentorPair.state == PairState.ACTIVE, MentorPair.ends_on > today,
        )
        .subquery()
    )  # fmt: skip
    marked = session.execute(
        update(MentorCheckin)
        .where(MentorCheckin.id.in_(select(due.c.id)), MentorCheckin.sent_at.is_(None))
        .values(sent_at=at)
        .returning(MentorCheckin.id, MentorCheckin.pair_id, MentorCheckin.number),
        execution_options={"synchronize_session": False},
    ).all()
    latest: dict[int, Any] = {}
    for row in sorted(marked, key=lambda row: row.number):
        latest[row.pair_id] = row
    skipped = [row.id for row in marked if latest[row.pair_id].id != row.id]
    if skipped:  # Nobody is to answer for days that the program slept through.
        session.execute(
            update(MentorCheckin).where(MentorCheckin.id.in_(skipped)).values(answered_at=at),
            execution_options={"synchronize_session": False},
        )
    return _mail(session, [row.id for row in latest.values()], at)


def _mail(session: Session, ids: list[int], at: datetime) -> int:
    if not ids:
        return 0
    origin = func.concat("pair:", MentorPair.id)
    merge = func.jsonb_build_object(
        "school_name", School.name, "mentee", MentorPair.mentee,
        "checkin_id", cast(MentorCheckin.id, String),
    )  # fmt: skip
    rows = (
        select(
            MentorCheckin.alumnus_id, origin.label("origin"), merge.label("merge"),
            func.concat(origin, ":checkin:", MentorCheckin.number).label("key"),
        )
        .join(MentorPair, MentorPair.id == MentorCheckin.pair_id)
        .join(School, School.id == MentorPair.school_id)
        .where(MentorCheckin.id.in_(ids))
    )  # fmt: skip
    return queue_many(
        session, rows, message_class=MessageClass.IMMEDIATE, at=at, topic_key=TOPIC,
        version_id=shipped_version(session, CONTENT, at),
    )  # fmt: skip


def note_missed(session: Session, at: datetime) -> int:
    """Check-ins that nobody answered in time: the home page of whoever looks after it says so."""
    until = at - timedelta(days=chosen(session, MentoringRules).answer_days)
    active = select(MentorPair.id).where(MentorPair.state == PairState.ACTIVE)
    missed = session.execute(
        update(MentorCheckin)
        .where(
            MentorCheckin.sent_at <= until, MentorCheckin.answered_at.is_(None),
            MentorCheckin.missed_at.is_(None), MentorCheckin.pair_id.in_(active),
        )
        .values(missed_at=at)
        .returning(MentorCheckin.id),
        execution_options={"synchronize_session": False},
    ).all()  # fmt: skip
    return len(missed)
