"""The end of pairs, set-based: hours add up, an interaction is recorded, the mentor is thanked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import Session

from crm.interactions.models import Mode
from crm.interactions.service import record_many
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_many
from crm.schools.models import School
from segments.mentoring.models import MentorCheckin, MentorPair, PairState

TOPIC = "volunteering"
THANKS = "mentor-thanks"


def close_pairs(
    session: Session, pair_ids: Sequence[int], *, state: PairState, at: datetime
) -> int:
    """Bring these active pairs to their end; answers how many.

    Their hours are those that the mentors told, met by met. Who met at least once has an
    interaction of it and a letter of thanks, whether it ended as planned or before.
    """
    told = select(func.coalesce(func.sum(MentorCheckin.hours), 0)).where(
        MentorCheckin.pair_id == MentorPair.id
    )
    ended = session.execute(
        update(MentorPair)
        .where(MentorPair.id.in_(pair_ids), MentorPair.state == PairState.ACTIVE)
        .values(state=state, ended_at=at, hours=told.scalar_subquery())
        .returning(
            MentorPair.id, MentorPair.alumnus_id, MentorPair.hours, MentorPair.school_id,
            MentorPair.mentee,
        ),
        execution_options={"synchronize_session": False},
    ).all()  # fmt: skip
    met = [row for row in ended if row.hours]
    record_many(session, (
        {
            "alumnus_id": row.alumnus_id, "occurred_at": at, "kind": "mentoring",
            "mode": Mode.VOLUNTEER, "hours": row.hours, "school_id": row.school_id,
            "note": row.mentee, "origin": f"pair:{row.id}", "dedupe_key": f"pair:{row.id}:closed",
        }
        for row in met
    ))  # fmt: skip
    _thank(session, [row.id for row in met], at)
    session.execute(
        update(MentorCheckin)
        .where(MentorCheckin.pair_id.in_([row.id for row in ended]))
        .where(MentorCheckin.missed_at.is_not(None), MentorCheckin.settled_at.is_(None))
        .values(settled_at=at),
        execution_options={"synchronize_session": False},
    )
    return len(ended)


def _thank(session: Session, pair_ids: Sequence[int], at: datetime) -> None:
    if not pair_ids:
        return
    origin = func.concat("pair:", MentorPair.id)
    merge = func.jsonb_build_object(
        "school_name", School.name, "mentee", MentorPair.mentee,
        "hours", func.trim_scale(MentorPair.hours).op("||")(literal("")),
    )  # fmt: skip
    rows = (
        select(
            MentorPair.alumnus_id, func.concat(origin, ":thanks").label("key"),
            origin.label("origin"), merge.label("merge"),
        )
        .join(School, School.id == MentorPair.school_id)
        .where(MentorPair.id.in_(pair_ids))
    )  # fmt: skip
    queue_many(
        session, rows, message_class=MessageClass.IMMEDIATE, at=at, topic_key=TOPIC,
        version_id=shipped_version(session, THANKS, at),
    )  # fmt: skip
