"""Recording and revoking clearance; each leaves an audit entry."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from crm.accounts.audit import record
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.viewer import Viewer
from segments.clearance.models import Clearance
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import office_day


def record_clearance(
    session: Session,
    alumnus_id: int,
    *,
    level: int,
    granted_on: date,
    by: Viewer,
    at: datetime,
    proof: str = "",
    expires_on: date | None = None,
    school_id: int | None = None,
    trained_on: date | None = None,
) -> Clearance:
    """Note that a person holds a level from a day on.

    Without `expires_on` it holds for the level's full time, which is also the longest that may be
    given. `school_id` None (every school) is for those who look after the whole district. A level
    that takes a training wants the day of it, and ends with what the training counts for.
    """
    policy = chosen(session, ClearancePolicy)
    today = office_day(session, at)
    longest = _longest(policy, level, granted_on, trained_on, school_id, today)
    expires_on = expires_on or longest
    if not granted_on < expires_on <= longest:
        message = "Choose a day after it was granted, at most %(longest)s."
        raise Invalid(message, field="expires_on", longest=longest)
    if by.school_ids is not None and school_id not in by.school_ids:
        raise NotAllowed("You can record clearance for the schools that you look after.")
    clearance = Clearance(
        alumnus_id=alumnus_id, level=level, granted_on=granted_on, expires_on=expires_on,
        proof=proof or str(policy.proof(level)), trained_on=trained_on, school_id=school_id,
        recorded_by=by.user_id, recorded_at=at,
    )  # fmt: skip
    session.add(clearance)
    session.flush()
    record(
        session, "clearance.recorded", kind="alumnus", key=alumnus_id, by=by, at=at,
        level=level, granted_on=str(granted_on), expires_on=str(expires_on), school_id=school_id,
    )  # fmt: skip
    return clearance


def _longest(
    policy: ClearancePolicy, level: int, granted_on: date, trained_on: date | None,
    school_id: int | None, today: date,
) -> date:  # fmt: skip
    """Until when this level may be given; raises `Invalid` for what the district does not take."""
    if not 1 <= level <= len(policy.levels):
        raise Invalid("Choose one of the levels.", field="level")
    if granted_on > today:
        raise Invalid("This day has not come yet.", field="granted_on")
    rule = policy.rule(level)
    if rule.training_months and (trained_on is None or trained_on > today):
        raise Invalid("Give the day of the training.", field="trained_on")
    if rule.renewed_by == "school" and school_id is None:
        raise Invalid("Each school approves this level for itself: choose it.", field="school_id")
    return policy.longest(level, granted_on, trained_on)


def revoke_clearance(session: Session, clearance: Clearance, *, by: Viewer, at: datetime) -> None:
    """End a clearance from today on; raises `Conflict` if it was revoked before."""
    if by.school_ids is not None and clearance.school_id not in by.school_ids:
        raise NotAllowed("Only the office that recorded this clearance can revoke it.")
    if clearance.revoked_on is not None:
        raise Conflict("This clearance was revoked already.")
    clearance.revoked_on = office_day(session, at)
    record(
        session, "clearance.revoked", kind="alumnus", key=clearance.alumnus_id, by=by, at=at,
        clearance_id=clearance.id, level=clearance.level,
    )  # fmt: skip
    session.flush()
