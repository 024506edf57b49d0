"""What the public reads of requests: of which school, which way and when about, and no words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Subject, Way
from crm.core.extend import PublicWish
from crm.schools.models import School, SchoolStatus
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.words import GRADES, PLACES

SHOWN = (RequestState.APPROVED, RequestState.ASKING)
MOST = 200


def wishes(session: Session, at: datetime) -> Iterator[PublicWish]:
    """Approved requests that are not filled and still lie ahead, the soonest first."""
    first = (
        select(func.min(RequestDate.starts_at))
        .where(RequestDate.request_id == Request.id, RequestDate.starts_at > at)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Request, School.name, School.time_zone, Way.label, Subject.label, first)
        .join(School, School.id == Request.school_id)
        .join(Way, Way.key == Request.way_key)
        .outerjoin(Subject, Subject.key == Request.subject_key)
        .where(
            Request.state.in_(SHOWN), School.status == SchoolStatus.OPEN, Way.offered,
            first.is_not(None),
        )
        .order_by(first, Request.id)
        .limit(MOST)
    )  # fmt: skip
    for asked, school, zone, way, subject, starts_at in rows:
        yield PublicWish(
            school_id=asked.school_id, school=school, way=asked.way_key, way_label=way,
            subject_label=subject or "", grades=GRADES[asked.grade_band],
            place=PLACES[asked.place], places=asked.places,
            month=starts_at.astimezone(ZoneInfo(zone)).date().replace(day=1),
        )  # fmt: skip
