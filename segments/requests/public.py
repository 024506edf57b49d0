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
    first = func.min(RequestDate.starts_at).label("first")
    ahead = (
        select(RequestDate.request_id, first)
        .where(RequestDate.starts_at > at)
        .group_by(RequestDate.request_id)
        .subquery()
    )
    rows = session.execute(
        select(Request, School.name, School.time_zone, Way.label, Subject.label, ahead.c.first)
        .join(ahead, ahead.c.request_id == Request.id)
        .join(School, School.id == Request.school_id)
        .join(Way, Way.key == Request.way_key)
        .outerjoin(Subject, Subject.key == Request.subject_key)
        .where(Request.state.in_(SHOWN), School.status == SchoolStatus.OPEN, Way.offered)
        .order_by(ahead.c.first, Request.id)
        .limit(MOST)
    )
    for asked, school, zone, way, subject, starts_at in rows:
        yield PublicWish(
            school_id=asked.school_id, school=school, way=asked.way_key, way_label=way,
            subject_label=subject or "", grades=GRADES[asked.grade_band],
            place=PLACES[asked.place], places=asked.places,
            month=starts_at.astimezone(ZoneInfo(zone)).date().replace(day=1),
        )  # fmt: skip
