"""What becomes of a request until somebody is asked: posted, edited, approved, sent back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from crm.accounts.audit import record
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import Permission, Viewer
from crm.schools.models import SchoolStatus
from segments.requests.access import load_school
from segments.requests.draft import Draft, Slot, check
from segments.requests.extend import request_extensions
from segments.requests.letters import write_to_school
from segments.requests.life import CLOSED, move, time_it
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.queries import subject_choices, way_choices

EDITABLE = frozenset({RequestState.DRAFT, RequestState.SUBMITTED})
ENDED = CLOSED
ASKABLE = frozenset({RequestState.APPROVED, RequestState.ASKING})
FIELDS = (
    "school_id", "way_key", "subject_key", "grade_band", "pupils", "places", "place", "language",
    "supervision", "note", "weeks",
)  # fmt: skip
MAX_REASON = 500


def create_request(
    session: Session, draft: Draft, *, by: Viewer, at: datetime, submit: bool = True
) -> Request:
    """Post a request (or, without `submit`, keep it as a draft).

    Whoever may ask alumni themselves needs nobody's approval: theirs is approved at once. Raises
    `Invalid` with the field at fault.
    """
    title = _checked(session, draft, by, at)
    request = Request(
        **{name: getattr(draft, name) for name in FIELDS}, title=title, state=RequestState.DRAFT,
        created_by=by.user_id, created_at=at,
    )  # fmt: skip
    session.add(request)
    session.flush()
    _set_slots(session, request, draft.slots)
    time_it(session, request)
    record(session, "request.created", kind="request", key=request.id, by=by, at=at)
    if submit:
        submit_request(session, request, by=by, at=at)
    return request


def edit_request(
    session: Session, request: Request, draft: Draft, *, by: Viewer, at: datetime
) -> Request:
    """Replace what a request says, while nobody was asked on its word."""
    if request.state not in EDITABLE:
        raise Conflict("This request was approved already. Cancel it and post a new one.")
    before = {name: _plain(getattr(request, name)) for name in ("title", *FIELDS)}
    request.title = _checked(session, draft, by, at)
    for name in FIELDS:
        setattr(request, name, getattr(draft, name))
    _set_slots(session, request, draft.slots)
    time_it(session, request)
    after = {name: _plain(getattr(request, name)) for name in before}
    record(
        session, "request.edited", kind="request", key=request.id, by=by, at=at,
        before={name: value for name, value in before.items() if value != after[name]},
        after={name: value for name, value in after.items() if value != before[name]},
        dates=[slot.starts_at.isoformat() for slot in draft.slots],
    )  # fmt: skip
    session.flush()
    return request


def submit_request(session: Session, request: Request, *, by: Viewer, at: datetime) -> None:
    """Hand a draft over for approval."""
    if request.state is not RequestState.DRAFT:
        raise Conflict("This request was posted already.")
    request.reason = None
    move(session, request, RequestState.SUBMITTED, at=at)
    record(session, "request.submitted", kind="request", key=request.id, by=by, at=at)
    if by.may(Permission.REQUESTS_ASK):
        approve(session, request, by=by, at=at)
    session.flush()


def approve(session: Session, request: Request, *, by: Viewer, at: datetime) -> None:
    """Let alumni be asked for this request: the school's approval that law 6 wants."""
    if request.state is not RequestState.SUBMITTED:
        raise Conflict("Only a request that waits for approval can be approved.")
    request.approved_at, request.reason = at, None
    move(session, request, RequestState.APPROVED, at=at)
    record(session, "request.approved", kind="request", key=request.id, by=by, at=at)
    session.flush()


def send_back(session: Session, request: Request, reason: str, *, by: Viewer, at: datetime) -> None:
    """Give a request back to the school with what should change."""
    if request.state is not RequestState.SUBMITTED:
        raise Conflict("Only a request that waits for approval can be sent back.")
    if not reason.strip():
        raise Invalid("Say what should change.", field="reason")
    request.reason = reason.strip()[:MAX_REASON]
    move(session, request, RequestState.DRAFT, at=at)
    record(session, "request.sent_back", kind="request", key=request.id, by=by, at=at)
    write_to_school(
        session, request, "request-sent-back", key=f"sent-back:{int(at.timestamp())}", at=at,
        merge={"reason": request.reason},
    )  # fmt: skip
    session.flush()


def cancel(
    session: Session, request: Request, *, by: Viewer, at: datetime, reason: str = ""
) -> None:
    """Call a request off; the areas above release whoever was asked or had said yes."""
    if request.state in ENDED:
        raise Conflict("This request has ended already.")
    move(session, request, RequestState.CANCELLED, at=at)
    request.reason = reason.strip()[:MAX_REASON] or None
    record(session, "request.cancelled", kind="request", key=request.id, by=by, at=at)
    for follow in request_extensions().cancelled:
        follow(session, request, by, at)
    session.flush()


def _checked(session: Session, draft: Draft, by: Viewer, at: datetime) -> str:
    """The title to use, once everything else was found to be in order."""
    check(draft, at)
    school = load_school(session, by, draft.school_id)
    if school.status is not SchoolStatus.OPEN:
        raise Invalid("This school is closed.", field="school")
    ways = {way.key: way for way in way_choices(session)}
    way = ways.get(draft.way_key)
    if way is None:
        raise Invalid(
            "Choose one of the ways to help: %(ways)s.", field="way", ways=", ".join(ways)
        )
    subjects = {subject.key: subject for subject in subject_choices(session)}
    subject = subjects.get(draft.subject_key or "")
    if draft.subject_key is not None and subject is None:
        raise Invalid(
            "Choose one of the subjects: %(subjects)s.",
            field="subject",
            subjects=", ".join(subjects),
        )
    return draft.title.strip() or (f"{way.label}: {subject.label}" if subject else way.label)


def _set_slots(session: Session, request: Request, slots: Iterable[Slot]) -> None:
    session.execute(delete(RequestDate).where(RequestDate.request_id == request.id))
    for slot in sorted(slots, key=lambda slot: slot.starts_at):
        session.add(
            RequestDate(request_id=request.id, starts_at=slot.starts_at, ends_at=slot.ends_at)
        )
    session.flush()


def _plain(value: object) -> object:
    """A value as the audit trail keeps it."""
    return value if value is None or isinstance(value, int) else str(value)
