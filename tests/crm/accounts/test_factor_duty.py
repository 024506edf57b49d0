"""The second factor as a duty: who must have one, who resets it, who hears of a new sign-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import factor
from crm.accounts.models import AuditEntry
from crm.core import clock
from crm.core.viewer import Role
from crm.mail.models import Message
from tests.crm.accounts.two_steps import (
    LAPTOP,
    Login,
    code_at,
    first_step,
    is_signed_in,
    second_step,
    with_factor,
)
from tests.factories import Make

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1"


@pytest.fixture
def mailing(app: Flask) -> Iterator[None]:
    """An installation whose mail really leaves the house."""
    usual = app.config["SETTINGS"]
    app.config["SETTINGS"] = usual.model_copy(update={"mail": "smtp"})
    yield
    app.config["SETTINGS"] = usual


def test_coordinators_have_a_period_to_enrol_and_are_led_to_it_afterwards(
    client: FlaskClient, session: Session, make: Make, now: datetime, mailing: None
) -> None:
    user = make.user()
    assert first_step(client, session, user, now).status_code == 303
    assert "You have 7 days" in client.get("/people").text
    with clock.at(now + timedelta(days=2)):
        assert "You have 5 days" in client.get("/people").text
    second = now + timedelta(days=5)
    with clock.at(second):
        first_step(client, session, user, second)
        assert "You have 2 days" in client.get("/").text, "a new sign-in begins no new period"
    with clock.at(now + timedelta(days=7)) as _:
        for path in ("/", "/people", "/settings", "/audit"):
            assert client.get(path).headers["Location"] == "/settings/second-factor"
        assert client.post("/people/export").headers["Location"] == "/settings/second-factor"
        page = "/settings/second-factor"
        client.post(f"{page}/begin")
        secret = factor.pending_secret(session, user.id)
        assert secret is not None
        client.post(page, data={"code": code_at(secret, clock.now())})
        assert client.get("/people").status_code == 200


def test_no_period_means_at_once(
    client: FlaskClient, session: Session, make: Make, now: datetime, mailing: None, app: Flask
) -> None:
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update={"second_factor_grace": 0})
    assert first_step(client, session, make.user(), now).status_code == 303
    assert client.get("/").headers["Location"] == "/settings/second-factor"
    assert client.get("/settings/second-factor").status_code == 200


def test_in_mailbox_mode_a_factor_is_offered_and_never_forced(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    first_step(client, session, make.user(), now)
    with clock.at(now + timedelta(days=2)):
        assert client.get("/people").status_code == 200
    with clock.at(now + timedelta(days=4)):
        page = client.get("/settings")
        assert page.status_code == 200
        assert "You have" not in page.text
        assert "/settings/second-factor" in page.text


@pytest.mark.parametrize("role", [Role.LIAISON, Role.SCHOOL, Role.VIEWER])
def test_others_may_and_need_not(
    login_as: Login, make: Make, now: datetime, mailing: None, role: Role
) -> None:
    client = login_as(make.user(role))
    assert client.get("/settings/second-factor").status_code == 200
    page = client.get("/settings")
    assert page.status_code == 200
    assert "alert-warning" not in page.text


def test_pages_that_change_who_may_do_what_ask_again_after_a_quarter_of_an_hour(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user, other = make.user(), make.user(Role.VIEWER)
    secret, _ = with_factor(session, user, now)
    first_step(client, session, user, now)
    second_step(client, code_at(secret, now))
    page = f"/settings/users/{other.id}"
    assert client.get(page).status_code == 200
    later = now + timedelta(minutes=15)
    with clock.at(later):
        asked = client.get(page).headers["Location"]
        assert asked == f"/settings/second-factor/confirm?next={page}"
        assert client.post(f"{page}/deactivate").status_code == 303
        session.refresh(other)
        assert other.active
        assert client.get("/people").status_code == 200
        data = {"code": code_at(secret, later), "next": page}
        assert client.post("/settings/second-factor/confirm", data=data).headers["Location"] == page
        client.post(f"{page}/deactivate")
        session.refresh(other)
        assert not other.active


def test_a_coordinator_resets_the_factor_of_somebody_who_lost_it(
    login_as: Login, client: FlaskClient, session: Session, make: Make, now: datetime, mailing: None
) -> None:
    user = make.user(email="lost@district.example")
    with_factor(session, user, now)
    office = login_as(make.user(name="Ada"))
    assert office.post(f"/settings/users/{user.id}/reset-factor").status_code == 303
    letter = session.scalars(select(Message).where(Message.to_address == user.email)).one()
    assert letter.merge["who"] == "Ada"
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.object_id == str(user.id)))
    assert "user.factor_reset" in set(actions)
    first_step(client, session, user, now)
    assert client.get("/").headers["Location"] == "/settings/second-factor", "no second period"


def test_nobody_resets_their_own_factor_and_only_coordinators_anybodys(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    user, other = make.user(), make.user(Role.VIEWER)
    with_factor(session, other, now)
    assert login_as(user).post(f"/settings/users/{user.id}/reset-factor").status_code == 409
    stranger = login_as(make.user(Role.LIAISON))
    assert stranger.post(f"/settings/users/{other.id}/reset-factor").status_code == 403
    assert factor.confirmed(session, other.id)


def test_the_command_resets_a_factor(
    runner: Any, session: Session, make: Make, now: datetime
) -> None:
    user = make.user(email="lost@district.example")
    with_factor(session, user, now)
    result = runner.invoke(args=["users", "reset-factor", "Lost@district.example", "--json"])
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "email": "lost@district.example", "had_factor": True,
    }  # fmt: skip
    session.expire_all()
    assert factor.confirmed(session, user.id) is None
    assert runner.invoke(args=["users", "reset-factor", "no@district.example"]).exit_code == 1


def test_doctor_warns_of_coordinators_without_a_factor(
    runner: Any, session: Session, make: Make, now: datetime, mailing: None
) -> None:
    first, _ = make.user(), make.user()
    session.commit()

    def finding() -> dict[str, str]:
        lines = runner.invoke(args=["doctor", "--json"]).stdout.splitlines()
        checks = {check["name"]: check for check in json.loads(lines[-1])["checks"]}
        return dict(checks["second factor"])

    assert (finding()["state"], finding()["detail"]) == ("warn", "2 coordinators have none")
    with_factor(session, first, now)
    assert finding()["detail"] == "1 coordinator has none"


def test_a_sign_in_on_another_device_mails_a_notice_once_a_day(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()

    def notices() -> list[str]:
        session.expire_all()
        return [
            m.merge["device"]
            for m in session.scalars(select(Message).order_by(Message.queued_at))
            if "device" in m.merge
        ]

    first_step(client, session, user, now, LAPTOP)
    first_step(client, session, user, now, LAPTOP.replace("142", "143"))
    assert notices() == []
    first_step(client, session, user, now, PHONE)
    first_step(client, session, user, now, "curl/8")
    assert notices() == ["Safari on iPhone"]
    tomorrow = now + timedelta(days=1)
    with clock.at(tomorrow):
        first_step(client, session, user, tomorrow, PHONE)
        first_step(client, session, user, tomorrow, "wget/1")
    assert notices() == ["Safari on iPhone", "wget/1"]


def test_i_sign_out_everywhere_else(
    login_as: Login, session: Session, make: Make, now: datetime, app: Flask
) -> None:
    user = make.user()
    elsewhere = app.test_client()
    first_step(elsewhere, session, user, now)
    here = login_as(user)
    assert here.post("/settings/sessions/end-others").status_code == 303
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)
