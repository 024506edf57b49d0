"""On one’s own page: leaving, coming back, fresh links and another address."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import ContactPoint, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource, Suppression, SuppressionReason
from crm.consent.queries import choices_of
from crm.core import clock
from crm.mail.models import Message
from crm.portal.addresses import STEP_UP
from tests.crm.portal.own_page import button, link
from tests.factories import Make


def test_leaving_everything_takes_one_tap_and_can_be_taken_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(person, now)
    client.post(address, data={"shown": "topics", "topics": ["news", "giving"]})
    page = client.post(f"{address}/leave").text
    assert not any(choices_of(session, person.id).values())
    client.post(f"{address}/undo", data=button(page, "/undo"))
    assert {k for k, yes in choices_of(session, person.id).items() if yes} == {"news", "giving"}


def test_asking_for_mail_again_lifts_ones_own_bar_but_not_a_complaint(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    for reason, lifted in (
        (SuppressionReason.UNSUBSCRIBED, True), (SuppressionReason.COMPLAINED, False),
    ):  # fmt: skip
        address = f"{reason.value}@mail.example"
        person = make.alumnus(email=address)
        said = {"source": ConsentSource.IMPORT, "at": now}
        consent.withdraw(session, person.id, topic_key=None, **said)  # type: ignore[arg-type]
        consent.suppress(session, [address], reason=reason, source="file", at=now)
        session.commit()
        client.post(link(person, now), data={"shown": "topics", "topics": "news"})
        row = session.get_one(Suppression, address, populate_existing=True)
        assert (row.lifted_at is not None) is lifted


def test_a_link_of_somebody_who_died_is_met_decently(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus("Ada", "Mensah", deceased=True)
    page = client.get(link(person, now)).text
    assert "Mensah" not in page
    assert "<form" not in page
    client.post(link(person, now), data={"city": "Macon"})
    assert person.city is None


def test_a_blocked_person_sees_their_own_record_and_that_it_is_private(
    client: FlaskClient, make: Make, now: datetime
) -> None:
    page = client.get(link(make.alumnus(ferpa_block=True), now)).text
    assert "marked as private" in page


def test_replacing_links_ends_the_old_and_mails_a_fresh_one(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    session.commit()
    address = link(person, now)
    assert client.post(f"{address}/revoke").status_code == 200
    assert client.get(address).status_code == 410
    assert len(session.scalars(select(Message)).all()) == 1


def code_for(session: Session, address: str) -> str:
    statement = select(Message.merge).where(
        Message.to_address == address, Message.origin == "link:confirm"
    )
    return str(session.scalars(statement.order_by(Message.queued_at.desc())).first()["code"])  # type: ignore[index]


def test_a_new_address_counts_once_its_code_is_typed_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    answer = client.post(f"{address}/address", data={"email": " New@Mail.example "})
    assert answer.headers["Location"] == f"{address}/address/code"
    points = session.scalars(select(ContactPoint.key)).all()
    assert points == ["old@mail.example"]
    code = code_for(session, "new@mail.example")
    page = client.post(f"{address}/address/code", data={"code": code}).text
    assert "N•••@mail.example" in page or "n•••@mail.example" in page
    kept = {p.key: p for p in session.scalars(select(ContactPoint))}
    assert kept["new@mail.example"].preferred
    assert not kept["old@mail.example"].preferred
    assert kept["old@mail.example"].status is ContactStatus.OK
    told = session.scalars(select(Message).where(Message.to_address == "old@mail.example")).one()
    assert "new@mail.example" not in str(told.merge)


def test_guessing_the_code_of_a_new_address_is_stopped(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    client.post(f"{address}/address", data={"email": "new@mail.example"})
    code = code_for(session, "new@mail.example")
    for guess in range(1, 7):
        wrong = f"{(int(code) + guess) % 1_000_000:06d}"
        client.post(f"{address}/address/code", data={"code": wrong})
    client.post(f"{address}/address/code", data={"code": code})
    assert session.scalars(select(ContactPoint.key)).all() == ["old@mail.example"]


def test_a_code_for_a_new_address_is_over_after_half_an_hour(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    client.post(f"{address}/address", data={"email": "new@mail.example"})
    code = code_for(session, "new@mail.example")
    with clock.at(now + timedelta(minutes=30)):
        client.post(f"{address}/address/code", data={"code": code})
    assert session.scalars(select(ContactPoint.key)).all() == ["old@mail.example"]


def test_an_address_cannot_be_bombed_with_codes(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    statuses = [
        client.post(
            link(make.alumnus(), now) + "/address", data={"email": "victim@mail.example"}
        ).status_code
        for _ in range(5)
    ]
    assert statuses == [303, 303, 303, 429, 429]


@pytest.mark.parametrize("email", ["", "nonsense", "a@b", "x" * 400, "a b@c.d"])
def test_a_bad_new_address_is_refused_on_the_page(
    client: FlaskClient, session: Session, make: Make, now: datetime, email: str
) -> None:
    answer = client.post(link(make.alumnus(), now) + "/address", data={"email": email})
    assert answer.status_code in {200, 400}
    assert session.scalars(select(Message)).all() == []


def test_an_old_link_does_not_suffice_to_move_somebodys_mail(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(person, now - STEP_UP - timedelta(minutes=1))
    assert client.get(address).status_code == 200
    page = client.post(f"{address}/address", data={"email": "new@mail.example"})
    assert "fresh link" in page.text
    assert session.scalars(select(Message)).all() == []
