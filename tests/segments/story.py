"""The cast and the steps that the tests of requests share."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.accounts.sessions import start_session
from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM, Viewer
from crm.links.tokens import issue
from crm.mail.models import MailboxItem, Message
from crm.schools.models import School
from segments.asks.models import Ask
from segments.asks.service import Pick, Wave, send_wave
from segments.clearance.service import record_clearance
from segments.requests.draft import Draft, Slot
from segments.requests.models import Request
from segments.requests.service import approve, create_request
from tests.factories import Make

ZONE = ZoneInfo("America/New_York")


def day_ahead(at: datetime, days: int, hour: int = 9) -> datetime:
    """A full hour in the school's own time, so many days on."""
    local = at.astimezone(ZONE) + timedelta(days=days)
    return local.replace(hour=hour, minute=0, second=0, microsecond=0)


def slot(at: datetime, days: int, hour: int = 9, hours: float = 1) -> Slot:
    start = day_ahead(at, days, hour)
    return Slot(start, start + timedelta(hours=hours))


def make_request(
    make: Make, school: School, *, days: tuple[int, ...] = (20,), by: Viewer = SYSTEM, **values: Any
) -> Request:
    """An approved request for a talk."""
    values = {"way_key": "speak", "subject_key": "health", **values}
    slots = tuple(slot(make.at, n) for n in days)
    draft = Draft(school_id=school.id, slots=slots, **values)
    request = create_request(make.session, draft, by=by, at=make.at)
    if request.state == "submitted":
        approve(make.session, request, by=SYSTEM, at=make.at)
    return request


def clear(make: Make, person: Alumnus, level: int = 2, **values: Any) -> None:
    """Give somebody clearance from a year ago."""
    granted = values.pop("granted_on", make.at.date() - timedelta(days=365))
    record_clearance(
        make.session, person.id, level=level, granted_on=granted, by=SYSTEM, at=make.at, **values
    )


def make_speaker(make: Make, name: str, school: School | None = None, **values: Any) -> Alumnus:
    """Somebody who offers to speak and is cleared to."""
    person = make.alumnus(name, school=school, ways=("speak",), **values)
    clear(make, person)
    return person


def ask(make: Make, request: Request, *people: Alumnus, at: datetime | None = None) -> Wave:
    """A wave that asks these people."""
    picks = [Pick(person.id, rank=n) for n, person in enumerate(people, 1)]
    return send_wave(make.session, request, picks, by=SYSTEM, at=at or make.at)


def ask_of(session: Session, person: Alumnus) -> Ask:
    session.expire_all()
    return (
        session.scalars(
            select(Ask).where(Ask.alumnus_id == person.id).order_by(Ask.id.desc())
        ).first()
        or Ask()
    )


def token(session: Session, person: Alumnus, at: datetime) -> str:
    """The token of the link that somebody's ask carries."""
    return issue(
        "ask", alumnus_id=person.id, epoch=person.link_epoch, at=at,
        subject=ask_of(session, person).id,
    )  # fmt: skip


def letters_to(session: Session, address: str) -> list[str]:
    """What the mailbox holds for an address: each letter with its values in place."""
    items = session.scalars(
        select(MailboxItem).where(MailboxItem.to_address == address).order_by(MailboxItem.id)
    )
    return [" ".join(item.substitutions.values()) for item in items]


def contents_to(session: Session, person: Alumnus) -> list[str]:
    """The keys of the messages that were queued for a person, oldest first."""
    statement = select(Message.key).where(Message.alumnus_id == person.id)
    return list(session.scalars(statement.order_by(Message.queued_at, Message.key)))


def answers_on(page: str) -> list[str]:
    """The values of the answer buttons of a page."""
    return re.findall(r'name="answer" value="([^"]+)"', page)


def press(client: FlaskClient, address: str, answer: str) -> Any:
    """Press a button of the answer page and read what comes."""
    return client.post(address, data={"answer": answer}, follow_redirects=True)


def sign_in_at(client: FlaskClient, session: Session, user: User, at: datetime) -> None:
    """Sign somebody in at another moment than the test's own."""
    secret = start_session(session, user, at=at)
    session.commit()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = secret
        cookie["_fresh"] = True
