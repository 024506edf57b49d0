"""The groups that a journey's report compares."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from crm.core.shares import Group, Lift, lift
from crm.core.viewer import Viewer
from lifecycle.journeys.models import Arm, Enrollment, Journey, JourneyVersion
from lifecycle.journeys.queries import scoped


def comparisons(
    session: Session, journey: Journey, viewer: Viewer, at: datetime
) -> dict[Arm, Lift]:
    """The lift against each group kept aside, over those whose time to reach the goal is over.

    Who was let in by hand is in no group, since nobody like them was kept aside.
    """
    within = cast(JourneyVersion.document["goal_within"].astext, Integer)
    over = Enrollment.entered_at + func.make_interval(0, 0, 0, 0, 0, 0, within) <= at
    timely = Enrollment.goal_at <= Enrollment.entered_at + func.make_interval(
        0, 0, 0, 0, 0, 0, within
    )
    counted = (
        select(Enrollment.arm, func.count(), func.count().filter(timely))
        .join(JourneyVersion, JourneyVersion.id == Enrollment.version_id)
        .where(
            Enrollment.journey_id == journey.id, over,
            func.coalesce(Enrollment.origin, "").not_like("bulk:%"),
            func.coalesce(Enrollment.origin, "") != "hand",
        )
    )  # fmt: skip
    rows = session.execute(scoped(counted, Enrollment.alumnus_id, viewer).group_by(Enrollment.arm))
    groups = {arm: Group(people, reached) for arm, people, reached in rows}
    treated = groups.get(None, Group(0, 0))
    return {arm: lift(treated, groups[arm]) for arm in Arm if arm in groups}
