"""Errors: every one is a page of ours with its headers, and none sends a reader elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import make_url

from crm.core.database import db
from crm.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused
from crm.core.throttle import TooMany
from tests.conftest import settings_for
from tests.rules.page_checks import faults_of
from wsgi import create_app

FAULTS: dict[str, Exception] = {
    "invalid": Invalid("The year must be a number.", field="year"),
    "refused": Refused(["line 2: no name", "line 3: no school"]),
    "missing": NotFound("There is no such person."),
    "forbidden": NotAllowed("Your account does not include this."),
    "conflict": Conflict("Somebody else sent it meanwhile."),
    "too-many": TooMany(["Too many codes were asked for."]),
    "bug": RuntimeError("secret detail"),
    "letters": UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
}


def raising() -> Blueprint:
    """Routes that fail in every way we know."""
    bp = Blueprint("raising", __name__)

    @bp.route("/raise/<name>", methods=["GET", "POST"])
    def fail(name: str) -> Any:
        raise FAULTS[name]

    @bp.post("/hooks/raise/<name>")
    def hook(name: str) -> Any:
        raise FAULTS[name]

    @bp.get("/number/<int:number>")
    def number(number: int) -> str:
        return str(number)

    @bp.get("/store")
    def store() -> str:
        value = request.args["value"] * int(request.args.get("times", 1)) + request.args["end"]
        db.session.execute(text("select cast(:v as text)"), {"v": value.replace("NUL", "\x00")})
        return "stored"

    @bp.get("/cast")
    def cast() -> str:
        db.session.execute(text("select cast(:v as int)"), {"v": "9" * 30})
        return "cast"

    return bp


@pytest.fixture(scope="module")
def broken_app(app: Flask) -> Iterator[Flask]:
    """The whole app, as in production, with the failing routes."""
    url = make_url(app.config["SQLALCHEMY_DATABASE_URI"])
    twin = create_app(settings_for(url, Path(app.instance_path)))
    twin.config.update(WTF_CSRF_ENABLED=False, MAX_CONTENT_LENGTH=2000)
    twin.register_blueprint(raising())
    yield twin
    with twin.app_context():
        db.engine.dispose()


@pytest.fixture
def breaking(broken_app: Flask) -> FlaskClient:
    """A browser on the app with the failing routes."""
    return broken_app.test_client()


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("invalid", 422), ("refused", 422), ("missing", 404), ("forbidden", 403),
        ("conflict", 409), ("too-many", 429), ("bug", 500), ("letters", 400),
    ],
)  # fmt: skip
def test_each_error_has_its_status_and_a_whole_page(
    breaking: FlaskClient, name: str, status: int
) -> None:
    answer = breaking.get(f"/raise/{name}")
    assert answer.status_code == status
    assert faults_of(answer.text) == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "secret detail" not in answer.text


@pytest.mark.parametrize("name", list(FAULTS))
def test_machines_get_json(breaking: FlaskClient, name: str) -> None:
    answer = breaking.post(f"/hooks/raise/{name}")
    page = breaking.get(f"/raise/{name}").status_code
    assert answer.status_code == (400 if page == 422 else page)
    assert answer.get_json()["error"]


@pytest.mark.parametrize("name", ["invalid", "refused", "conflict"])
def test_a_form_goes_back_to_its_page_with_the_sentence(breaking: FlaskClient, name: str) -> None:
    answer = breaking.post(
        f"/raise/{name}", headers={"Referer": "http://localhost/sign-in?next=%2Fx"}
    )
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=%2Fx")
    assert str(FAULTS[name]).splitlines()[0] in breaking.get("/sign-in").text


@pytest.mark.parametrize(
    "referrer",
    [
        "", "https://evil.example/", "http://localhost.evil.example/", "http://localhost:81/",
        "http://localhost//evil.example/", "http://localhost/\\evil.example", "javascript:alert(1)",
        "http://localhost@evil.example/", "//evil.example", "http://[", "/relative",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_host(breaking: FlaskClient, referrer: str) -> None:
    answer = breaking.post("/raise/invalid", headers={"Referer": referrer})
    assert answer.status_code == 422
    assert answer.location is None


@pytest.mark.parametrize("query", ["value=aNUL&end=b", "value=a&times=2&end=NUL"])
def test_what_the_database_cannot_hold_is_the_senders_mistake(
    breaking: FlaskClient, query: str
) -> None:
    answer = breaking.get(f"/store?{query}")
    assert answer.status_code == 400
    assert "cannot be read" in answer.text
    assert breaking.get("/cast").status_code == 400
    assert breaking.get("/sign-in").status_code == 200


@pytest.mark.parametrize("address", ["/sign-in?next=%00", "/sign-in?%00=1", "/people/%00", "/%00"])
def test_nul_bytes_in_an_address_are_refused(breaking: FlaskClient, address: str) -> None:
    assert breaking.get(address).status_code in {400, 404}


def test_an_id_beyond_the_database_is_no_page(breaking: FlaskClient) -> None:
    assert breaking.get(f"/number/{2**63 - 1}").status_code == 200
    assert breaking.get(f"/number/{2**63}").status_code == 404
    assert breaking.get(f"/number/{'9' * 5000}").status_code == 404


def test_too_large_an_upload_is_told_what_fits(breaking: FlaskClient) -> None:
    answer = breaking.post("/sign-in", data={"email": "a" * 5000})
    assert answer.status_code == 413
    assert "512 MB" in answer.text


def test_a_wrong_method_names_the_right_ones(breaking: FlaskClient) -> None:
    answer = breaking.post("/robots.txt")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_page_without_a_database_still_says_what_happened(
    broken_app: Flask, breaking: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(broken_app.jinja_env.globals, "url_for", None)
    answer = breaking.get("/raise/bug")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text


def test_robots_are_sent_away_and_the_icon_is_found(client: FlaskClient) -> None:
    assert "Disallow: /\n" in client.get("/robots.txt").text
    answer = client.get("/favicon.ico", follow_redirects=True, buffered=True)
    assert answer.mimetype == "image/svg+xml"
