"""Signing in by mailed code or link, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts import service
from crm.accounts.models import SignInCode, StaffSession, User
from crm.accounts.routes import same_site
from crm.accounts.signin import sign_in_link
from crm.core import clock
from crm.core.viewer import SYSTEM
from crm.mail.models import Message
from tests.factories import Make

ELSEWHERE = [
    "//evil.example", "///evil.example", "////evil.example", "https://evil.example",
    "http:evil.example", "https:evil.example", "HTTPS://evil.example", "javascript:alert(1)",
    "data:text/html,x", "/\\evil.example", "\\\\evil.example", "/\\/evil.example",
    "\\/evil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example",
    "\t//evil.example", " //evil.example", "/ /evil.example", "/\x00/evil.example",
    "/\x0b/evil.example", "evil.example", "evil.example/path", "@evil.example",
    "user@evil.example", "http://localhost@evil.example", "http://localhost.evil.example",
    "http:///evil.example", "https:///evil.example", "https:\\\\evil.example",
    "//evil.example/%2f..", "//evil%2eexample", "/\\\\evil.example", "http://[::1", "//[::1",
    "ftp://evil.example", "mailto:a@evil.example", "?next=//evil.example", "#//evil.example",
    "//localhost:80@evil.example", "/\x7f/evil.example", "//evil。example", "", "x" * 3000,
    "/" + "a" * 3000, "view-source:https://evil.example", "//google.com/%2f..", "\x01https://evil",
]  # fmt: skip


def fresh_link(session: Session, user: User, at: datetime) -> str:
    """The path of a sign-in link."""
    link = sign_in_link(session, user, at=at).removeprefix("http://localhost")
    session.commit()
    return link


def ask(client: FlaskClient, address: str, target: str = "") -> Any:
    return client.post("/sign-in", data={"email": address, "next": target})


def mailed(session: Session, address: str) -> dict[str, Any]:
    """What the newest letter to an address says."""
    statement = select(Message.merge).where(Message.to_address == address)
    return session.scalars(statement.order_by(Message.queued_at.desc(), Message.key)).one()


def is_signed_in(client: FlaskClient) -> bool:
    return bool(client.get("/settings").status_code == 200)


def test_a_mailed_code_signs_its_owner_in(
    client: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user(email="ada@district.example")
    assert ask(client, " Ada@District.Example ").headers["Location"] == "/sign-in/code"
    code = mailed(session, user.email)["code"]
    answer = client.post("/sign-in/code", data={"code": f" {code[:3]} {code[3:]} "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert is_signed_in(client)


def test_an_unknown_address_gets_the_same_answer_and_no_mail(
    client: FlaskClient, session: Session, make: Make
) -> None:
    make.user(email="known@district.example")
    known = ask(client, "known@district.example")
    page_known = client.get("/sign-in/code").text
    stranger = ask(client, "nobodyx@district.example")
    page_stranger = client.get("/sign-in/code").text
    assert (known.status_code, known.headers["Location"]) == (
        stranger.status_code, stranger.headers["Location"],
    )  # fmt: skip
    assert page_known.replace("known@", "X@") == page_stranger.replace("nobodyx@", "X@")
    addresses = session.scalars(select(Message.to_address)).all()
    assert addresses == ["known@district.example"]


def test_a_closed_account_gets_no_code(client: FlaskClient, session: Session, make: Make) -> None:
    make.user(email="gone@district.example", active=False)
    ask(client, "gone@district.example")
    assert session.scalars(select(SignInCode)).all() == []


def test_a_code_is_kept_only_as_a_keyed_hash(
    client: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user()
    ask(client, user.email)
    row = session.scalars(select(SignInCode)).one()
    merge = mailed(session, user.email)
    assert merge["code"] not in row.code_hash
    assert row.token_hash not in merge["sign_in_link"]


def test_guessing_a_code_is_stopped_after_five_tries(
    client: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user()
    ask(client, user.email)
    code = mailed(session, user.email)["code"]
    for guess in range(6):
        wrong = f"{(int(code) + 1 + guess) % 1_000_000:06d}"
        assert client.post("/sign-in/code", data={"code": wrong}).status_code == 200
    client.post("/sign-in/code", data={"code": code})
    assert not is_signed_in(client)


def test_a_browser_that_asks_again_and_again_is_stopped(
    client: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user()
    answers = [ask(client, user.email).status_code for _ in range(7)]
    assert answers == [303] * 5 + [429] * 2
    assert session.scalar(select(func.count()).select_from(SignInCode)) == 5


def test_guesses_from_one_place_are_stopped_over_many_codes(
    client: FlaskClient, session: Session, make: Make
) -> None:
    statuses = []
    for _ in range(12):
        ask(client, make.user().email)
        statuses += [
            client.post("/sign-in/code", data={"code": "000000"}).status_code for _ in range(5)
        ]
    assert 429 in statuses
    assert statuses.count(200) <= 40


@pytest.mark.parametrize(
    "code", ["", "abcdef", "1" * 20, "\x00", "１２３４５６", "0x1234", "-12345"]
)
def test_odd_codes_are_refused_quietly(client: FlaskClient, make: Make, code: str) -> None:
    ask(client, make.user().email)
    assert client.post("/sign-in/code", data={"code": code}).status_code == 200
    assert not is_signed_in(client)


def test_a_code_is_good_for_ten_minutes_and_once(
    client: FlaskClient, session: Session, make: Make, now: datetime, app: Any
) -> None:
    user = make.user()
    ask(client, user.email)
    code = mailed(session, user.email)["code"]
    with clock.at(now + timedelta(minutes=10)):
        client.post("/sign-in/code", data={"code": code})
        assert not is_signed_in(client)
    with client.session_transaction() as cookie:
        asked = dict(cookie["sign_in"])
    client.post("/sign-in/code", data={"code": code})
    assert is_signed_in(client)
    other = app.test_client()
    with other.session_transaction() as cookie:
        cookie["sign_in"] = asked
    other.post("/sign-in/code", data={"code": code})
    assert not is_signed_in(other)


def test_a_code_opens_nothing_in_another_browser(
    client: FlaskClient, session: Session, make: Make, app: Any
) -> None:
    user = make.user()
    ask(client, user.email)
    code = mailed(session, user.email)["code"]
    thief = app.test_client()
    thief.get("/sign-in")
    with thief.session_transaction() as cookie:
        cookie["sign_in"] = {"browser": "x" * 43, "email": user.email, "next": "/"}
    thief.post("/sign-in/code", data={"code": code})
    assert not is_signed_in(thief)


def test_looking_at_a_mailed_link_signs_nobody_in(
    client: FlaskClient, session: Session, make: Make, now: datetime, app: Any
) -> None:
    link = fresh_link(session, make.user(), now)
    scanner = app.test_client()
    for _ in range(3):
        assert scanner.get(link).status_code == 200
        assert scanner.head(link).status_code == 200
    assert not is_signed_in(scanner)
    assert session.scalars(select(StaffSession)).all() == []
    assert client.get(link).text.count("<button") == 1
    assert client.post(link).status_code == 303
    assert is_signed_in(client)
    assert scanner.post(link).status_code == 410
    assert scanner.get(link).status_code == 410


def test_a_link_is_over_after_a_day_or_when_a_newer_one_is_made(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    old = fresh_link(session, user, now)
    new = fresh_link(session, user, now)
    assert client.post(old).status_code == 410
    with clock.at(now + timedelta(hours=24)):
        assert client.post(new).status_code == 410
    assert client.post(new).status_code == 303


def test_signing_in_makes_a_new_session_and_ends_the_old_one(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    for _ in range(2):
        client.post(fresh_link(session, user, now))
    open_rows = session.scalars(select(StaffSession).where(StaffSession.ended_at.is_(None))).all()
    assert len(open_rows) == 1
    assert session.scalar(select(func.count()).select_from(StaffSession)) == 2


def test_a_copied_cookie_is_dead_after_sign_out(
    login_as: Callable[[User], FlaskClient], make: Make, app: Any
) -> None:
    client = login_as(make.user())
    with client.session_transaction() as cookie:
        copied = dict(cookie)
    assert client.get("/sign-out").status_code == 405
    assert client.post("/sign-out").headers["Location"] == "/sign-in"
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie.update(copied)
    assert not is_signed_in(thief)


def test_sessions_are_dead_once_the_account_is_closed_and_stay_so(
    login_as: Callable[[User], FlaskClient], session: Session, make: Make, now: datetime
) -> None:
    user = make.user()
    make.user()
    client = login_as(user)
    assert is_signed_in(client)
    service.deactivate(session, user, by=SYSTEM, at=now)
    session.commit()
    assert not is_signed_in(client)
    service.reactivate(session, user, by=SYSTEM, at=now)
    session.commit()
    assert not is_signed_in(client)


def test_a_session_ends_when_it_is_idle_and_lives_while_it_is_used(
    login_as: Callable[[User], FlaskClient], make: Make, now: datetime
) -> None:
    client = login_as(make.user())
    for day in (2, 4, 6):
        with clock.at(now + timedelta(days=day)):
            assert is_signed_in(client)
    with clock.at(now + timedelta(days=9, minutes=1)):
        assert not is_signed_in(client)


def test_a_page_that_needs_an_account_leads_back_to_itself(
    client: FlaskClient, session: Session, make: Make
) -> None:
    user = make.user()
    away = client.get("/settings/users?after=x").headers["Location"]
    page = client.get(away).text
    target = re.search(r'name="next"[^>]* value="([^"]*)"', page)
    assert target is not None
    ask(client, user.email, target[1])
    code = mailed(session, user.email)["code"]
    answer = client.post("/sign-in/code", data={"code": code})
    assert answer.headers["Location"] == "/settings/users?after=x"


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_never_leads_to_another_site(
    client: FlaskClient, session: Session, make: Make, target: str
) -> None:
    assert same_site(target) == "/"
    user = make.user()
    ask(client, user.email, target)
    code = mailed(session, user.email)["code"]
    assert client.post("/sign-in/code", data={"code": code}).headers["Location"] == "/"
    signed_in = client.get("/sign-in", query_string={"next": target})
    assert signed_in.headers.get("Location", "/") == "/"


@pytest.mark.parametrize("path", ["/", "/people", "/people?q=a%20b", "/people/12#x"])
def test_signing_in_leads_to_pages_of_this_site(path: str) -> None:
    assert same_site(path) == path
