"""What a person asks of their data by their mailed link, and what the office does about it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.alumni.models import Alumnus
from crm.consent.models import Suppression, SuppressionReason
from crm.consent.queries import address_suppressed
from crm.consent.service import lift, suppress
from crm.core import clock
from crm.core.district import choose
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM
from crm.links.tokens import issue
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem, Message, MessageState
from crm.rights import wishes
from crm.rights.choices import RightsRule
from crm.rights.erasing import erase
from crm.rights.models import DataRequest, RequestState
from tests.crm.rights.test_erasing import everything
from tests.factories import Make

ADDRESS = "zoe@mail.example"


@pytest.fixture
def zoe(make: Make) -> Alumnus:
    return make.alumnus("Zoë", "Quillfeather", email=ADDRESS, employer="Quillfeather Ltd")


def link(person: Alumnus, now: datetime) -> str:
    token = issue("profile", alumnus_id=person.id, epoch=person.link_epoch, at=now)
    return f"/me/{token}/data"


def code_for(session: Session) -> str:
    """The code of the newest letter."""
    newest = (
        select(Message).where(Message.key.like("rights:%")).order_by(Message.queued_at, Message.key)
    )
    return str(session.scalars(newest).all()[-1].merge["code"])


def ask(client: FlaskClient, session: Session, page: str, kind: str) -> Any:
    """Ask, and type the code back."""
    assert client.post(f"{page}/{kind}").status_code == 303
    return client.post(f"{page}/{kind}/code", data={"code": code_for(session)})


def test_looking_changes_nothing_and_a_button_mails_a_code_to_the_address_of_the_link(
    client: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    page = link(zoe, now)
    assert client.get(page).status_code == 200
    assert client.get(f"{page}/erase/code").status_code == 200
    assert session.scalars(select(DataRequest)).all() == []
    client.post(f"{page}/erase")
    letter = session.scalars(select(Message)).one()
    assert letter.to_address == ADDRESS
    assert ADDRESS not in client.get(f"{page}/erase/code").text


def test_the_file_holds_everything_and_nobody_gets_it_without_the_code(
    client: FlaskClient, session: Session, zoe: Alumnus, make: Make, now: datetime
) -> None:
    make.interaction(zoe).note = "She spoke of bees"
    page = link(zoe, now)
    client.post(f"{page}/download")
    wrong = client.post(f"{page}/download/code", data={"code": "000000x"})
    assert "about-me" not in str(wrong.headers)
    assert client.post(f"{page}/file.json", data={"ticket": "forged"}).status_code == 303
    ready = client.post(f"{page}/download/code", data={"code": code_for(session)}).text
    ticket = re.search(r'name="ticket" value="([^"]+)"', ready)
    assert ticket
    data = {"ticket": ticket[1]}
    told = client.post(f"{page}/file.json", data=data).json
    assert told["record"]["employer"] == "Quillfeather Ltd"
    assert told["tables"]["interaction"][0]["note"] == "She spoke of bees"
    assert "code_hash" not in str(told)
    shown = client.post(f"{page}/file.html", data=data)
    assert "She spoke of bees" in shown.text
    assert shown.headers["Content-Disposition"] == "attachment; filename=about-me.html"
    assert "alumnus.exported" in session.scalars(select(AuditEntry.action)).all()
    with clock.at(now + timedelta(hours=1)):
        assert client.post(f"{page}/file.json", data=data).status_code == 303


def test_five_wrong_codes_end_it_and_too_many_letters_are_refused(
    client: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    page = link(zoe, now)
    client.post(f"{page}/erase")
    for _ in range(5):
        client.post(f"{page}/erase/code", data={"code": "12"})
    client.post(f"{page}/erase/code", data={"code": code_for(session)})
    assert session.scalars(select(DataRequest.state)).all() == [RequestState.UNCONFIRMED]
    answers = [client.post(f"{page}/erase").status_code for _ in range(6)]
    assert answers[:4] == [303] * 4
    assert set(answers[4:]) <= {409, 422, 429}


def test_a_wish_waits_for_the_office_and_is_seen_on_the_home_page(
    coordinator: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    shown = ask(coordinator, session, link(zoe, now), "erase").text
    assert "We have your wish" in shown
    assert session.get_one(Alumnus, zoe.id).given_name == "Zoë"
    assert "asked to be forgotten (30 days are left)" in coordinator.get("/").text
    assert "Quillfeather" in coordinator.get("/settings/data-requests").text
    url = f"/people/{zoe.id}/rights/erase"
    assert coordinator.post(url, data={"typed": "somebody"}).status_code == 422
    assert coordinator.post(url, data={"typed": "zoe quillfeather"}).status_code == 303
    session.expire_all()
    assert session.get_one(Alumnus, zoe.id).given_name == ""
    assert "asked to be forgotten" not in coordinator.get("/").text


def test_the_last_letter_goes_once_and_then_nothing_tells_who_it_was(
    app: Flask, client: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    choose(session, RightsRule(immediate=True), at=now)
    assert "You are forgotten" in ask(client, session, link(zoe, now), "erase").text
    letter = session.scalars(select(Message).where(Message.key.like("farewell:%"))).one()
    assert (letter.to_address, letter.state) == (ADDRESS, MessageState.QUEUED)
    deliver(app, at=now)
    deliver(app, at=now + timedelta(hours=1))
    wishes.forget_farewells(session, now)
    told = session.scalars(select(MailboxItem).where(MailboxItem.message_id == letter.id)).all()
    assert len(told) == 1
    wishes.forget_farewells(session, now + timedelta(days=2))
    session.expire_all()
    secrets = ("Zoë", "Quillfeather", ADDRESS)
    left = [(name, row) for name, row in everything(session) if any(w in row for w in secrets)]
    assert left == []


def test_a_crash_before_the_commit_leaves_the_person_and_no_letter(
    session: Session, zoe: Alumnus, now: datetime
) -> None:
    session.commit()
    wishes.forget(session, zoe.id, by=SYSTEM, at=now)
    session.rollback()
    session.expire_all()
    assert session.get_one(Alumnus, zoe.id).given_name == "Zoë"
    assert session.scalars(select(Message)).all() == []


def test_what_a_provider_says_later_brings_no_address_back(
    session: Session, zoe: Alumnus, now: datetime
) -> None:
    wishes.forget(session, zoe.id, by=SYSTEM, at=now)
    suppress(session, [ADDRESS], reason=SuppressionReason.BOUNCED, source="provider", at=now)
    keys = session.scalars(select(Suppression.address_key)).all()
    assert len(keys) == 1
    assert keys[0].startswith("sha256:")
    # Only the person themselves, from that address, opens it again.
    assert lift(session, ADDRESS, at=now)
    assert not session.scalar(select(address_suppressed(literal(ADDRESS))))


def test_a_legal_hold_stops_erasing_until_it_ends(
    coordinator: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    coordinator.post(f"/people/{zoe.id}/rights/hold", data={"reason": "a suit"})
    with pytest.raises(Conflict):
        erase(session, zoe.id, at=now, by=SYSTEM)
    typed = {"typed": zoe.full_name}
    assert coordinator.post(f"/people/{zoe.id}/rights/erase", data=typed).status_code == 409
    choose(session, RightsRule(immediate=True), at=now)
    assert "We have your wish" in ask(coordinator, session, link(zoe, now), "erase").text
    coordinator.post(f"/people/{zoe.id}/rights/release")
    assert coordinator.post(f"/people/{zoe.id}/rights/erase", data=typed).status_code == 303


def test_a_wish_that_is_declined_says_why_by_mail(
    coordinator: FlaskClient, session: Session, zoe: Alumnus, now: datetime
) -> None:
    ask(coordinator, session, link(zoe, now), "erase")
    wish = session.scalars(select(DataRequest)).one()
    url = f"/settings/data-requests/{wish.id}/decline"
    assert coordinator.post(url, data={"why": " "}).status_code == 422
    assert coordinator.post(url, data={"why": "A claim is open."}).status_code == 303
    letter = session.scalars(select(Message).where(Message.key.like("declined:%"))).one()
    assert letter.merge == {"reason": "A claim is open."}
    assert coordinator.post(url, data={"why": "again"}).status_code == 409
