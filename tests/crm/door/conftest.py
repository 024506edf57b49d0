"""People at the public door: a form filled in as a browser would, and the letters it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.door import classmates, gate, joining
from crm.mail.models import Message
from crm.schools.models import School
from tests.factories import Make

LATER = timedelta(minutes=5)
Fill = Callable[..., dict[str, Any]]


@pytest.fixture
def school(make: Make) -> School:
    return make.school("Lincoln High")


@pytest.fixture
def fill(school: School, now: datetime) -> Fill:
    """The fields of /join, filled in by somebody who took ten seconds."""

    def filled(**changes: Any) -> dict[str, Any]:
        return {
            "given_name": "Ngozi", "family_name": "Ibe", "email": "ngozi@mail.example",
            "school_1": str(school.id), "year_1": "2012", "language": "en",
            "topics": ["news", "events"], "ways": ["mentor"], "agree": "y", "website": "",
            "stamp": gate.stamp(now - timedelta(seconds=10)),
        } | changes  # fmt: skip

    return filled


@pytest.fixture
def letters(session: Session, now: datetime) -> Callable[..., Sequence[Message]]:
    """Runs the jobs that decide letters, and answers every message there is."""

    def decided(at: datetime = now) -> Sequence[Message]:
        with clock.at(at):
            joining.letters(at + LATER)
            classmates.invitations(at + LATER)
        return session.scalars(select(Message).order_by(Message.queued_at, Message.id)).all()

    return decided


@pytest.fixture
def link(
    client: FlaskClient, fill: Fill, letters: Callable[..., Sequence[Message]]
) -> Callable[..., str]:
    """The address behind the button of the letter that a form leads to."""

    def asked(address: str = "/join", **changes: Any) -> str:
        answer = client.post(address, data=fill(**changes))
        assert answer.status_code == 303, answer.text
        return str(letters()[-1].merge["confirm_link"]).removeprefix("http://localhost")

    return asked
