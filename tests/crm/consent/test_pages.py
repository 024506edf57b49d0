"""A person's ledger page: what is recorded, what staff may add, and what they may not undo."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent import service
from crm.consent.models import ConsentSource, Suppression, SuppressionReason
from tests.factories import Make


def test_the_ledger_tells_source_words_time_and_who_wrote_it(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person, clerk = make.alumnus(), make.user(name="Greta Clerk")
    service.withdraw(
        session, person.id, topic_key=None, source=ConsentSource.STAFF, at=now,
        reference=f"user:{clerk.id}", wording="rang on 3 May",
    )  # fmt: skip
    page = coordinator.get(f"/people/{person.id}/consent").text
    assert all(words in page for words in ("Greta Clerk", "rang on 3 May", "staff, on their word"))


def test_staff_pause_and_end_a_pause_on_somebodys_word(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    person = make.alumnus()
    url = f"/people/{person.id}/consent/pause"
    data = {"pause-until": "2026-12-01", "pause-wording": "asked by phone"}
    assert coordinator.post(url, data=data).status_code == 303
    session.expire_all()
    assert session.get_one(Alumnus, person.id).paused_until == date(2026, 12, 1)
    assert coordinator.post(url, data={"pause-until": "2026-12-02"}).status_code == 422
    assert coordinator.post(url, data={**data, "pause-until": "2020-01-01"}).status_code == 422
    assert coordinator.post(url, data={**data, "pause-until": ""}).status_code == 303
    session.expire_all()
    assert session.get_one(Alumnus, person.id).paused_until is None


def test_staff_close_an_address_and_have_no_way_to_open_it(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="zoe@mail.example")
    url = f"/people/{person.id}/consent/close"
    data = {"close-address": "zoe@mail.example", "close-reason": "shared with a stranger"}
    assert coordinator.post(url, data=data).status_code == 303
    row = session.get_one(Suppression, "zoe@mail.example")
    assert (row.reason, row.lifted_at) == (SuppressionReason.STAFF, None)
    page = coordinator.get(f"/people/{person.id}/consent").text
    assert "shared with a stranger" in page
    assert "Close the address" not in page


@pytest.mark.parametrize("address", ["other@mail.example", "", "\x00"])
def test_only_an_address_of_theirs_can_be_closed(
    coordinator: FlaskClient, session: Session, make: Make, address: str
) -> None:
    person = make.alumnus()
    make.alumnus(email="other@mail.example")
    url = f"/people/{person.id}/consent/close"
    data = {"close-address": address, "close-reason": "why not"}
    assert coordinator.post(url, data=data).status_code in {400, 422}
    assert session.get(Suppression, "other@mail.example") is None
