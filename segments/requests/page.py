"""What the request pages show: form choices and defaults, facts, and who may do what next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from crm.alumni.models import Subject, Way
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission, Viewer
from crm.schools.models import School, SchoolLevel
from crm.web.i18n import CONTENT_LANGUAGES
from segments.requests import queries
from segments.requests.access import load_school
from segments.requests.draft import Draft
from segments.requests.forms import RequestForm, form_values
from segments.requests.models import GradeBand, Place, Request, RequestState, Supervision
from segments.requests.service import EDITABLE, ENDED
from segments.requests.words import GRADES, PLACES, STATES, SUPERVISION, TONES, why_unfilled

USUAL_HOUR = time(10)
USUAL_GRADES = {SchoolLevel.ELEMENTARY: GradeBand.K_5, SchoolLevel.MIDDLE: GradeBand.G6_8}


def offered(form: RequestForm, viewer: Viewer) -> RequestForm:
    """The form with its choices: the viewer's schools, the ways and subjects on offer."""
    session = db.session()
    schools = [(row.id, row.name) for row in queries.school_choices(session, viewer)]
    form.offer(
        schools=schools,
        ways=queries.way_choices(session),
        subjects=queries.subject_choices(session),
    )
    return form


def defaults(viewer: Viewer) -> dict[str, Any]:
    """What is most likely: a talk at the viewer's only school, a teacher staying in the room."""
    schools = queries.school_choices(db.session(), viewer)
    values: dict[str, Any] = {
        "way_key": "speak", "place": Place.SCHOOL.value, "grade_band": GradeBand.G9_12.value,
        "supervision": Supervision.SUPERVISED.value, "time_1": USUAL_HOUR,
    }  # fmt: skip
    if len(schools) == 1:
        values["school_id"] = schools[0].id
        values["grade_band"] = USUAL_GRADES.get(schools[0].level, GradeBand.G9_12).value
    return values


def current(session: Session, found: Request) -> dict[str, Any]:
    """What the form shows of a request."""
    return form_values(found, list(queries.dates_of(session, found.id)), zone_of(session, found))


def zone_of(session: Session, found: Request) -> ZoneInfo:
    """The time zone of the request's school."""
    school = session.get(School, found.school_id)
    return ZoneInfo(school.time_zone if school else "America/New_York")


def submit(
    form: RequestForm, viewer: Viewer, act: Callable[[Draft], Request | None]
) -> Request | None:
    """Validate the form and act; None if something is to be corrected, said at its field."""
    if not form.validate():
        return None
    school = load_school(db.session(), viewer, form.school_id.data)
    try:
        with db.session.begin_nested():
            return act(form.draft(ZoneInfo(school.time_zone)))
    except Invalid as error:
        form.place_error(error.field, str(error))
        return None


def facts(session: Session, found: Request) -> Mapping[str, Any]:
    """Everything that the request says, in words."""
    school = session.get(School, found.school_id)
    way = session.get(Way, found.way_key)
    subject = session.get(Subject, found.subject_key) if found.subject_key else None
    return {
        "school": school, "zone": zone_of(session, found),
        "dates": queries.dates_of(session, found.id),
        "way": way, "subject": subject, "poster": queries.poster_of(session, found),
        "state": STATES[found.state], "tone": TONES.get(found.state, "quiet"),
        "grades": GRADES[found.grade_band], "place": PLACES[found.place],
        "supervision": SUPERVISION[found.supervision],
        "spoken": CONTENT_LANGUAGES.get(found.language or ""),
        "why_unfilled": why_unfilled(found.reason),
    }  # fmt: skip


def actions(viewer: Viewer, found: Request) -> Mapping[str, bool]:
    """What this viewer may do with the request as it stands."""
    may_post = viewer.may(Permission.REQUESTS_CREATE)
    may_ask = viewer.may(Permission.REQUESTS_ASK)
    return {
        "can_edit": may_post and found.state in EDITABLE,
        "can_submit": may_post and found.state is RequestState.DRAFT,
        "can_approve": may_ask and found.state is RequestState.SUBMITTED,
        "can_thank": may_post and found.state is RequestState.DONE,
        "can_cancel": may_post and found.state not in ENDED,
    }
