"""What a person's page shows of their clearance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission, Viewer
from segments.clearance.models import Clearance
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import clearances_of, office_day
from segments.clearance.routes import clearance_form


def standing(clearance: Clearance, today: object) -> str:
    """One word for how a clearance stands on a day: revoked, expired or held."""
    if clearance.revoked_on is not None and str(clearance.revoked_on) <= str(today):
        return "revoked"
    return "expired" if str(clearance.expires_on) <= str(today) else "held"


def load(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """The panel's values: what is held, and the form for those who may record more."""
    session = db.session()
    today, policy = office_day(session, at), chosen(session, ClearancePolicy)
    may_edit = viewer.may(Permission.PEOPLE_EDIT)
    rows = [
        {
            "clearance": row[0], "school": row.school, "recorder": row.recorder,
            "label": policy.label(row[0].level), "standing": standing(row[0], today),
        }
        for row in clearances_of(session, alumnus.id)
    ]  # fmt: skip
    if not rows and not may_edit:
        return None
    form = clearance_form(viewer) if may_edit else None
    return {"alumnus": alumnus, "clearances": rows, "form": form, "today": today}


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """What a person may do with pupils, one sentence a clearance."""
    today, policy = office_day(session, at), chosen(session, ClearancePolicy)
    for clearance, school, _recorder in clearances_of(session, alumnus_id):
        word = {"held": "holds", "expired": "held", "revoked": "lost"}[standing(clearance, today)]
        where = f" at {school}" if school else ""
        yield (
            f"{word.capitalize()} clearance level {clearance.level} "
            f"({policy.label(clearance.level)}){where} from {clearance.granted_on} "
            f"until {clearance.revoked_on or clearance.expires_on}."
        )
