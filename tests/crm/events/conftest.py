"""What the tests of events share: an open event, people invited to it, and their links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM
from crm.events import service
from crm.events.inviting import invite
from crm.events.models import Event, EventKind, Invitation
from crm.events.plan import Plan
from crm.links.tokens import issue
from tests.factories import Make

Planned = Callable[..., Event]


@pytest.fixture
def plan(make: Make) -> Plan:
    """A reunion in two weeks, for two hours."""
    starts = make.at + timedelta(days=14)
    return Plan(
        kind=EventKind.REUNION, starts_at=starts, ends_at=starts + timedelta(hours=2),
        texts={
            "en": {"title": "Class reunion", "description": "Food and *music*."},
            "es": {"title": "Reunión de la clase", "description": "Comida y música."},
        },
        time_zone="America/New_York", place="Gym of Lincoln High", address="1 School Street",
    )  # fmt: skip


@pytest.fixture
def planned(session: Session, make: Make, plan: Plan) -> Planned:
    """Plans an event that takes answers; give what it differs in from the reunion."""

    def new(**changes: Any) -> Event:
        event = service.create(session, replace(plan, **changes), by=SYSTEM, at=make.at)
        service.open_event(session, event, by=SYSTEM, at=make.at)
        return event

    return new


def invited(session: Session, make: Make, event: Event, *people: Alumnus) -> list[Invitation]:
    """Invite people; answers their invitations in order."""
    if people:
        query = "id:" + ",".join(str(person.id) for person in people)
        invite(session, event, query, by=SYSTEM, at=make.at)
    return [invitation(session, event, person) for person in people]


def invitation(session: Session, event: Event, person: Alumnus) -> Invitation:
    """A person's invitation as the database has it."""
    mine = Invitation.event_id == event.id, Invitation.alumnus_id == person.id
    return session.scalars(select(Invitation).where(*mine)).one()


def page_of(event: Event, person: Alumnus, make: Make, **values: Any) -> str:
    """The path of a person's page about an event."""
    token = issue(
        "event", alumnus_id=person.id, epoch=person.link_epoch, at=make.at, subject=event.id,
        **values,
    )  # fmt: skip
    return f"/event/{token}"


def ticket_of(event: Event, person: Alumnus, make: Make) -> str:
    """The path that the code of a person's ticket leads to."""
    token = issue(
        "check-in", alumnus_id=person.id, epoch=person.link_epoch, at=make.at, subject=event.id
    )
    return f"/check-in/{token}"
