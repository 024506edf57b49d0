"""Signing in by the district's own provider, a real one on loopback with keys of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, StaffSession, User
from crm.core.errors import Refused
from crm.core.settings import load_settings
from crm.core.viewer import Role
from tests.crm.accounts.provider import CLIENT, SECRET, Provider
from tests.factories import Make

ADDRESS = "ada@district.example"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(running: Provider, app: Flask) -> Iterator[Provider]:
    """A provider that this installation is set up with, and that knows Ada."""
    running.claims = {"email": ADDRESS, "email_verified": True}
    running.broken, running.forger = "", None
    usual = app.config["SETTINGS"]
    app.config["SETTINGS"] = usual.model_copy(
        update={
            "oidc_issuer": running.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET,
            "oidc_name": "Riverbend ID", "oidc_second_factor": "mfa, urn:two",
        }
    )  # fmt: skip
    app.extensions.pop("homecoming.oidc", None)
    yield running
    app.config["SETTINGS"] = usual


def there_and_back(client: FlaskClient, provider: Provider, target: str = "/") -> Any:
    """Go to the provider, come back, and press the button of the page that one lands on."""
    away = client.get("/sign-in/oidc", query_string={"next": target}).headers["Location"]
    page = client.get(provider.allow(away))
    assert page.status_code == 200
    fields = BeautifulSoup(page.text, "html.parser").find_all("input", type="hidden")
    data = {str(f["name"]): str(f["value"]) for f in fields}
    return client.post("/sign-in/oidc/back", data=data)


def is_signed_in(client: FlaskClient) -> bool:
    return bool(client.get("/settings").status_code == 200)


def refused(client: FlaskClient, answer: Any) -> str:
    """The sentence on the sign-in page that a refused answer leads to."""
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert not is_signed_in(client)
    page = BeautifulSoup(client.get("/sign-in").text, "html.parser")
    return " ".join(alert.get_text() for alert in page.find_all(class_="alert"))


def test_a_verified_address_of_an_account_signs_in(
    client: FlaskClient, session: Session, make: Make, provider: Provider
) -> None:
    make.user(email=ADDRESS)
    provider.claims["email"] = "Ada@District.example"
    assert "Sign in with Riverbend ID" in client.get("/sign-in").text
    answer = there_and_back(client, provider, "/people?q=x")
    assert answer.headers["Location"] == "/people?q=x"
    assert is_signed_in(client)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.signed_in")).one()
    assert entry.detail == {"how": "oidc"}


def test_the_provider_is_asked_with_state_nonce_and_a_challenge(
    client: FlaskClient, provider: Provider
) -> None:
    away = urlsplit(client.get("/sign-in/oidc").headers["Location"])
    asked = {k: v[0] for k, v in parse_qs(away.query).items()}
    assert f"{away.scheme}://{away.netloc}" == provider.issuer
    assert asked["redirect_uri"] == "http://localhost/sign-in/oidc/back"
    assert asked["code_challenge_method"] == "S256"
    assert all(len(asked[name]) >= 20 for name in ("state", "nonce", "code_challenge"))
    assert SECRET not in away.query


def test_coming_back_by_get_signs_nobody_in(
    client: FlaskClient, session: Session, make: Make, provider: Provider
) -> None:
    make.user(email=ADDRESS)
    back = provider.allow(client.get("/sign-in/oidc").headers["Location"])
    for _ in range(3):
        assert client.get(back).status_code == 200
    assert session.scalars(select(StaffSession)).all() == []
    assert not is_signed_in(client)


NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x" * 20},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "another audience for which we are authorised": {"aud": "somebody-else", "azp": CLIENT},
    "another issuer": {"iss": "https://evil.example"},
    "expired": {"iat": NOW - 4_000, "exp": NOW - 1_000},
    "not yet": {"nbf": NOW + 4_000},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("fault", list(WRONG))
def test_a_token_that_is_not_for_us_now_signs_nobody_in(
    client: FlaskClient, make: Make, provider: Provider, fault: str
) -> None:
    make.user(email=ADDRESS)
    provider.claims |= WRONG[fault]
    assert "did not sign you in" in refused(client, there_and_back(client, provider))


@pytest.mark.parametrize(
    "claim", [{"email_verified": False}, {"email_verified": None}, {"email": None}, {"email": ""}]
)
def test_an_address_that_is_not_verified_signs_nobody_in(
    client: FlaskClient, make: Make, provider: Provider, claim: dict[str, Any]
) -> None:
    make.user(email=ADDRESS)
    provider.claims |= claim
    assert "did not confirm" in refused(client, there_and_back(client, provider))


def test_no_account_is_made_and_a_closed_one_stays_closed(
    client: FlaskClient, session: Session, make: Make, provider: Provider
) -> None:
    assert "Nobody has an account" in refused(client, there_and_back(client, provider))
    make.user(email=ADDRESS, active=False)
    assert "Nobody has an account" in refused(client, there_and_back(client, provider))
    assert len(session.scalars(select(User)).all()) == 1


def test_an_answer_counts_once_and_in_the_browser_that_asked(
    client: FlaskClient, make: Make, provider: Provider, app: Flask
) -> None:
    make.user(email=ADDRESS)
    back = provider.allow(client.get("/sign-in/oidc").headers["Location"])
    query = {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}
    thief = app.test_client()
    assert "did not" in refused(thief, thief.post("/sign-in/oidc/back", data=query))
    assert client.post("/sign-in/oidc/back", data=query).headers["Location"] == "/"
    client.post("/sign-out")
    assert "did not" in refused(client, client.post("/sign-in/oidc/back", data=query))


def test_new_keys_of_the_provider_are_fetched(
    client: FlaskClient, make: Make, provider: Provider
) -> None:
    make.user(email=ADDRESS)
    assert there_and_back(client, provider).headers["Location"] == "/"
    client.post("/sign-out")
    provider.rotate()
    assert there_and_back(client, provider).headers["Location"] == "/"
    assert is_signed_in(client)


def test_a_token_signed_by_somebody_else_signs_nobody_in(
    client: FlaskClient, make: Make, provider: Provider
) -> None:
    make.user(email=ADDRESS)
    provider.forger = RSAKey.generate_key(2048)
    assert "did not" in refused(client, there_and_back(client, provider))


@pytest.mark.parametrize("fault", ["500", "html"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_broken_provider_gives_a_sentence(
    client: FlaskClient, make: Make, provider: Provider, fault: str, when: str
) -> None:
    make.user(email=ADDRESS)
    if when == "before":
        provider.broken = fault
        assert "sign-in service" in refused(client, client.get("/sign-in/oidc"))
        return
    back = provider.allow(client.get("/sign-in/oidc").headers["Location"])
    provider.broken = fault
    query = {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}
    assert "sign-in service" in refused(client, client.post("/sign-in/oidc/back", data=query))


def test_a_provider_that_is_down_gives_a_sentence(
    client: FlaskClient, provider: Provider, app: Flask
) -> None:
    gone = {"oidc_issuer": "http://127.0.0.1:9"}
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update=gone)
    sentence = refused(client, client.get("/sign-in/oidc"))
    assert "does not answer" in sentence
    assert "mailed code" in sentence


@pytest.mark.parametrize(
    "query",
    ["", "?code=x", "?state=x", "?error=access_denied", "?code=x&state=y",
     "?code=" + "x" * 9_000 + "&state=y"],
)  # fmt: skip
def test_odd_answers_are_no_faults_of_ours(
    client: FlaskClient, provider: Provider, query: str
) -> None:
    assert client.get(f"/sign-in/oidc/back{query}").status_code in {200, 302}
    data = {"code": "x", "state": "y"} if query else {}
    assert "did not sign you in" in refused(client, client.post("/sign-in/oidc/back", data=data))


@pytest.mark.parametrize(
    ("claim", "counts"),
    [({"amr": ["pwd", "mfa"]}, True), ({"acr": "urn:two"}, True), ({"amr": ["pwd"]}, False),
     ({}, False)],
)  # fmt: skip
def test_a_factor_that_the_provider_saw_counts_as_one(
    client: FlaskClient, make: Make, provider: Provider, claim: dict[str, Any], counts: bool,
    app: Flask,
) -> None:  # fmt: skip
    make.user(email=ADDRESS)
    strict = {"mail": "smtp", "second_factor_grace": 0}
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update=strict)
    provider.claims |= claim
    assert there_and_back(client, provider).status_code == 303
    home = client.get("/")
    assert home.headers.get("Location") == (None if counts else "/settings/second-factor")


def test_without_a_provider_there_is_no_button_and_no_address(client: FlaskClient) -> None:
    assert "Sign in with" not in client.get("/sign-in").text
    for path in ("/sign-in/oidc", "/sign-in/oidc/back"):
        assert client.get(path).status_code == 404
    assert client.post("/sign-in/oidc/back").status_code == 404


def test_its_settings_come_together_and_over_https() -> None:
    names = ("HOMECOMING_OIDC_ISSUER", "HOMECOMING_OIDC_CLIENT_ID", "HOMECOMING_OIDC_CLIENT_SECRET")
    whole = dict(zip(names, ("https://id.district.example/", "a", "b"), strict=True))
    assert load_settings(whole).oidc_issuer == "https://id.district.example"
    for name in names:
        with pytest.raises(Refused, match=name):
            load_settings({k: v for k, v in whole.items() if k != name})
    with pytest.raises(Refused, match="https"):
        load_settings({**whole, names[0]: "http://id.district.example"})


def test_the_secret_stands_in_no_log_and_no_description(
    client: FlaskClient, provider: Provider, caplog: pytest.LogCaptureFixture, app: Flask
) -> None:
    with caplog.at_level(logging.DEBUG):
        there_and_back(client, provider)
    assert SECRET not in caplog.text
    assert SECRET not in repr(app.config["SETTINGS"])


def test_it_signs_in_a_school_account_within_its_wall(
    client: FlaskClient, make: Make, provider: Provider
) -> None:
    school = make.school()
    make.user(Role.SCHOOL, school=school, email=ADDRESS)
    stranger = make.alumnus("Zelda", "Outside")
    there_and_back(client, provider)
    assert client.get(f"/people/{stranger.id}").status_code == 404
