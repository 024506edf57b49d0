"""Whether the people of promises hold what their requests take (law 6), as conditions in SQL."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.orm import Session

from crm.core.district import chosen
from crm.schools.models import School
from segments.asks.models import Commitment
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import cleared_on
from segments.requests.models import Place, Request, Supervision


def still_cleared(session: Session) -> ColumnElement[bool]:
    """The person of a promise holds what its request takes, on its day.

    A condition on `Commitment` joined to `Request`, `School` and `Alumnus`.
    """
    policy = chosen(session, ClearancePolicy)
    day = func.date(func.timezone(School.time_zone, Commitment.starts_at))
    return or_(
        *(
            and_(
                Request.supervision == how, Request.place == where,
                cleared_on(policy.needed_level(how, where), day, Request.school_id),
            )
            for how in Supervision for where in Place
        )
    )  # fmt: skip
