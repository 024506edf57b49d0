"""The second factor at sign-in: set up, asked for, guessed at."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import factor
from crm.accounts.models import AuditEntry, RecoveryCode, SecondFactor, StaffSession
from crm.core import clock
from tests.crm.accounts.two_steps import (
    Login,
    code_at,
    first_step,
    is_signed_in,
    second_step,
    with_factor,
)
from tests.factories import Make


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
