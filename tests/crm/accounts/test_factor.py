"""The second factor: set up, asked for, good once, required of coordinators, reset."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import factor
from crm.accounts.models import AuditEntry, RecoveryCode, SecondFactor, StaffSession, User
from crm.accounts.signin import sign_in_link
from crm.core import clock
from crm.core.viewer import SYSTEM, Role
from crm.mail.models import Message
from tests.factories import Make

Login = Callable[[User], FlaskClient]
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1"
LAPTOP = "Mozilla/5.0 (Windows NT 10.0) Firefox/142.0"


@pytest.fixture
def mailing(app: Flask) -> Iterator[None]:
    """An installation whose mail really leaves the house."""
    usual = app.config["SETTINGS"]
    app.config["SETTINGS"] = usual.model_copy(update={"mail": "smtp"})
    yield
    app.config["SETTINGS"] = usual


def with_factor(session: Session, user: User, at: datetime) -> tuple[str, list[str]]:
    """An authenticator for the account, set up an hour ago; answers its secret and its codes."""
    then = at - timedelta(hours=1)
    factor.begin(session, user, by=SYSTEM, at=then)
    secret = factor.pending_secret(session, user.id)
    assert secret is not None
    codes = factor.confirm(session, user, code_at(secret, then), by=SYSTEM, at=then)
    session.commit()
    return secret, codes


def code_at(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(int(at.timestamp()))


def first_step(
    client: FlaskClient, session: Session, user: User, at: datetime, agent: str = LAPTOP
) -> Any:
    """Sign in by a mailed link."""
    link = sign_in_link(session, user, at=at).removeprefix("http://localhost")
    session.commit()
    return client.post(link, headers={"User-Agent": agent})


def second_step(client: FlaskClient, code: str) -> Any:
    return client.post("/sign-in/factor", data={"code": code})


def is_signed_in(client: FlaskClient) -> bool:
    return bool(client.get("/settings").status_code == 200)


def test_a_factor_is_set_up_by_its_first_code_and_shows_its_recovery_codes_once(
    login_as: Login, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    client = login_as(user)
    page = "/settings/second-factor"
    assert "You have none yet" in client.get(page).text
    client.post(f"{page}/begin")
    shown = client.get(page).text
    secret = re.sub(r"\s", "", re.findall(r'class="hc-key">([A-Z2-7 ]+)<', shown)[0])
    assert "<svg" in shown
    assert "style=" not in shown
    wrong = client.post(page, data={"code": "000000"})
    assert "This code is wrong" in wrong.text
    assert session.get_one(SecondFactor, user.id).confirmed_at is None
    done = client.post(page, data={"code": code_at(secret, now)}).text
    codes = re.findall(r"<code>(\w{5}-\w{5})</code>", done)
    assert len(set(codes)) == 10
    after = client.get(page).text
    assert "10 of them are unused" in after
    assert secret not in after.replace(" ", "")
    assert codes[0] not in after


def test_the_database_alone_tells_neither_secret_nor_codes(
    session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    secret, codes = with_factor(session, user, now)
    assert secret not in session.get_one(SecondFactor, user.id).secret
    hashes = set(session.scalars(select(RecoveryCode.code_hash)))
    assert not hashes & {code.replace("-", "") for code in codes}
    kept = json.dumps([e.detail for e in session.scalars(select(AuditEntry))])
    assert secret not in kept


def test_a_mailed_link_alone_opens_nothing_for_whoever_has_a_factor(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    secret, _ = with_factor(session, user, now)
    answer = first_step(client, session, user, now)
    assert answer.headers["Location"] == "/sign-in/factor"
    for path in ("/", "/people", "/settings", "/settings/second-factor", "/audit"):
        assert "/sign-in" in client.get(path).headers["Location"]
    assert second_step(client, "123456").status_code == 200
    assert not is_signed_in(client)
    assert second_step(client, code_at(secret, now)).headers["Location"] == "/"
    assert is_signed_in(client)
    full = session.scalars(select(StaffSession).where(StaffSession.half.is_(False))).all()
    assert [row.factor_at for row in full] == [now]
    assert all(
        row.ended_at for row in session.scalars(select(StaffSession).where(StaffSession.half))
    )


def test_the_half_sessions_token_is_no_session_by_itself(
    client: FlaskClient, session: Session, make: Make, now: datetime, app: Flask
) -> None:
    user = make.user()
    with_factor(session, user, now)
    first_step(client, session, user, now)
    with client.session_transaction() as cookie:
        token = cookie["half"]["token"]
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["_user_id"] = token
    assert not is_signed_in(thief)


def test_a_half_session_is_over_after_ten_minutes(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    secret, _ = with_factor(session, user, now)
    first_step(client, session, user, now)
    later = now + timedelta(minutes=10)
    with clock.at(later):
        assert second_step(client, code_at(secret, later)).headers["Location"] == "/sign-in"
        assert not is_signed_in(client)


def test_a_code_is_good_once_and_its_neighbours_in_time_pass(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    secret, _ = with_factor(session, user, now)
    assert factor.check(session, user.id, code_at(secret, now), at=now)
    assert not factor.check(session, user.id, code_at(secret, now), at=now)
    early = code_at(secret, now - timedelta(seconds=30))
    assert not factor.check(session, user.id, early, at=now), "a step before the used one"
    later = now + timedelta(seconds=60)
    assert factor.check(session, user.id, code_at(secret, now + timedelta(seconds=30)), at=later)
    assert not factor.check(session, user.id, code_at(secret, now), at=later)


def test_a_recovery_code_lets_in_once(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user, other = make.user(), make.user()
    _, codes = with_factor(session, user, now)
    _, theirs = with_factor(session, other, now)
    assert not factor.check(session, user.id, theirs[0], at=now)
    first_step(client, session, user, now)
    assert second_step(client, f" {codes[0].upper()} ").status_code == 303
    assert is_signed_in(client)
    first_step(client, session, user, now)
    assert second_step(client, codes[0]).status_code == 200
    assert not is_signed_in(client)
    assert factor.unused_codes(session, user.id) == 9


@pytest.mark.parametrize("code", ["", "abc", "１２３４５６", "0" * 20, "\x00", "-12345", "²²²²²²"])
def test_odd_codes_are_refused_quietly(
    client: FlaskClient, session: Session, make: Make, now: datetime, code: str
) -> None:
    user = make.user()
    with_factor(session, user, now)
    first_step(client, session, user, now)
    assert second_step(client, code).status_code == 200
    assert not is_signed_in(client)


def test_guessing_a_factor_is_stopped_even_over_many_sign_ins(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    secret, _ = with_factor(session, user, now)
    statuses = []
    for _ in range(3):
        first_step(client, session, user, now)
        statuses += [second_step(client, "000000").status_code for _ in range(5)]
    assert statuses == [200] * 10 + [429] * 5
    answer = second_step(client, code_at(secret, now))
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert not is_signed_in(client)


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
