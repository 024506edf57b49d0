"""Logs tell what happened, and never to whom."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.log import configure_logging, mask
from crm.links.tokens import issue
from crm.mail.delivery import deliver
from tests.factories import Make


@pytest.fixture
def told(app: Flask, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Everything that was logged since it was asked last, as in production."""
    settings = app.config["SETTINGS"]
    configure_logging(settings.model_copy(update={"log": "json"}))
    yield lambda: capsys.readouterr().err
    configure_logging(settings)


def test_a_request_is_one_line_without_its_address(
    client: FlaskClient, make: Make, now: datetime, told: Callable[[], str]
) -> None:
    token = issue("profile", alumnus_id=make.alumnus().id, epoch=0, at=now)
    client.get(f"/me/{token}?lang=en")
    written = told()
    (line,) = [json.loads(row) for row in written.splitlines()]
    assert line["event"] == "request"
    assert (line["endpoint"], line["method"], line["status"]) == ("portal.profile", "GET", 200)
    assert line["ms"] >= 0
    assert token not in written


def test_no_token_address_or_name_is_ever_logged(
    client: FlaskClient,
    app: Flask,
    session: Session,
    make: Make,
    now: datetime,
    told: Callable[[], str],
) -> None:
    person = make.alumnus("Zenobia", "Quartermain", email="zenobia@mail.example")
    user = make.user(email="ada@district.example", name="Adaline")
    session.commit()
    tokens = [
        issue(purpose, alumnus_id=person.id, epoch=epoch, at=now)
        for purpose in ("profile", "unsubscribe") for epoch in (0, 1)
    ]  # fmt: skip
    for token in tokens:
        for path in ("/me/", "/unsubscribe/", "/sign-in/link/", "/nowhere/"):
            client.get(path + token)
            client.post(path + token, data={"city": "Macon", "choice": "all"})
    client.post(f"/me/{tokens[0]}/address", data={"email": "new@mail.example"})
    client.post("/fresh-link", data={"token": tokens[0], "purpose": "profile"})
    client.post("/sign-in", data={"email": user.email})
    client.post("/sign-in/code", data={"code": "000000"})
    deliver(app, at=now)
    written = told()
    assert written.count('"request"') > 30
    for secret in (
        *tokens,
        "zenobia",
        "quartermain",
        "mail.example",
        "district.example",
        "adaline",
    ):
        assert secret.lower() not in written.lower()


def test_an_error_tells_where_and_what_kind_but_not_its_words(
    session: Session, told: Callable[[], str], make: Make
) -> None:
    log = structlog.get_logger("crm.test")
    make.user(email="ada@district.example")
    statement = text(
        "insert into staff_user (email, name, role, language, active, created_at) "
        "values ('ada@district.example', 'Ada Mensah', 'viewer', 'en', true, now())"
    )
    try:
        session.execute(statement)
    except Exception:
        log.exception("test.failed", email="ada@district.example", token="x", note="to a@b.example")
    written = told()
    (line,) = [json.loads(row) for row in written.splitlines()]
    assert "UniqueViolation 23505 uq_staff_user_email" in line["exception"]
    assert "test_log.py" in line["exception"]
    assert line["note"] == "to [address]"
    assert not {"email", "token"} & line.keys()
    assert "Mensah" not in written


def test_what_libraries_say_is_masked_too(told: Callable[[], str]) -> None:
    logging.getLogger("waitress").warning(
        "Exception while serving %s", "/me/AYCQAgADBAUGBwgJCgsMDQ4PEA.abc"
    )
    logging.getLogger("elsewhere").error("mail to ada@mail.example failed")
    written = told()
    assert "/me/[token]" in written
    assert "[address]" in written
    assert "AYCQ" not in written


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+"
local = st.text(LETTERS, min_size=1, max_size=20)


@given(local=local, domain=st.sampled_from(["mail.example", "a.b.org"]), around=st.text(" ,;:<>()"))
def test_no_address_survives_masking(local: str, domain: str, around: str) -> None:
    masked = mask(f"{around}{local}@{domain}{around}")
    assert f"@{domain}" not in masked


def test_every_token_is_masked_and_ids_are_not(app: Flask, now: datetime) -> None:
    with app.app_context():
        for number in range(1, 300):
            token = issue("profile", alumnus_id=number * 7919, epoch=0, at=now)
            assert token not in mask(f"got {token} here")
            assert token.rpartition(".")[2] not in mask(f"got {token} here")
    for plain in ("0b6f7a5e-0000-4000-8000-00000000000a", "journey.step_sent", "crm/core/log.py"):
        assert mask(plain) == plain
