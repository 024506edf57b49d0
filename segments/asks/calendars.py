"""Calendar files for a promise: one event, told to both sides and taken back when it falls."""

from __future__ import annotations

from datetime import datetime, timedelta

from icalendar import Alarm, Calendar, Event
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.application import site_host
from crm.mail.outbox import Attachment
from crm.schools.models import School
from segments.asks.models import Commitment, CommitmentState
from segments.requests.letters import place_words
from segments.requests.models import Place, Request

MEDIA_TYPE = "text/calendar"


def calendar_file(
    session: Session, commitment: Commitment, *, language: str, at: datetime, for_school: bool
) -> Attachment:
    """The promise as an iCalendar file (RFC 5545); a cancelled one takes the event back."""
    request = session.get_one(Request, commitment.request_id)
    school = session.get_one(School, request.school_id)
    calendar = Calendar()
    calendar.add("prodid", "-//Homecoming//Request desk//EN")
    calendar.add("version", "2.0")
    cancelled = commitment.state is CommitmentState.CANCELLED
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    event = Event()
    event.add("uid", f"commitment-{commitment.id}@{site_host()}")
    event.add("dtstamp", at)
    event.add("sequence", max(0, int((at - commitment.created_at).total_seconds())))
    event.add("dtstart", commitment.starts_at)
    event.add("dtend", commitment.ends_at)
    event.add("summary", _summary(session, commitment, request, school, for_school=for_school))
    event.add("location", place_words(request, school, language))
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    if request.note:
        event.add("description", request.note)
    if not cancelled:
        event.add_component(_alarm(request))
    calendar.add_component(event)
    return Attachment("visit.ics", MEDIA_TYPE, calendar.to_ical())


def _summary(
    session: Session, commitment: Commitment, request: Request, school: School, *, for_school: bool
) -> str:
    if not for_school:
        return f"{request.title} – {school.name}"
    person = session.get_one(Alumnus, commitment.alumnus_id)
    return f"{request.title} – {person.full_name}"


def _alarm(request: Request) -> Alarm:
    """A reminder the day before, or an hour before a video call."""
    alarm = Alarm()
    ahead = timedelta(hours=1) if request.place is Place.VIRTUAL else timedelta(days=1)
    alarm.add("action", "DISPLAY")
    alarm.add("description", request.title)
    alarm.add("trigger", -ahead)
    return alarm
