"""Every route, whoever wrote it: guarded, harmless to GET, and broken by no input."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from crm.accounts.models import User
from crm.core.extend import extensions
from crm.core.viewer import Permission, Role
from tests.factories import Make
from tests.rules.district import District, addresses, rules, seed

WITHOUT_TOKEN = ("/hooks/", "/unsubscribe/")
"""Machines post here: the provider (signed), and mail programs by RFC 8058 (a signed address)."""

WRITES = re.compile(
    r"\b(insert\s+into|update\s+\S+\s+(as\s+\w+\s+)?set|delete\s+from|truncate|merge\s+into"
    r"|procrastinate_defer\w*)\b",
    re.I,
)
SEEN = re.compile(
    r"update staff_session set seen_at"
    r"|insert into audit_entry .* where action = 'alumnus.looked' do nothing",
    re.I,
)
"""That somebody was here, and that they saw somebody's address (ADR 0014): neither acts."""

JUNK = ("\x00", "’ or 1=1 --", "9" * 400, "\ufffd\u202e\U0001f9d1", "[]{}()\"':*-", "a" * 30_000)


@pytest.fixture
def district(make: Make) -> District:
    return seed(make)


@pytest.fixture
def office(district: District, login_as: Callable[[User], FlaskClient]) -> FlaskClient:
    """A browser of the seeded coordinator."""
    return login_as(district.users[Role.COORDINATOR])


def test_what_says_that_it_only_reads_is_never_posted_to(app: Flask) -> None:
    views = {
        rule.rule: rule.methods or set()
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "reads", False)
    }
    assert {"/people", "/people/count"} <= set(views)
    assert [rule for rule, methods in views.items() if "POST" in methods] == []


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    silent = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static")
        and not isinstance(
            getattr(app.view_functions[rule.endpoint], "access", None), (Permission, str)
        )
    ]
    assert not silent, "\n".join(["", *silent])


def test_addresses_are_kebab_case_and_ids_are_numbers(app: Flask) -> None:
    odd = []
    for rule in app.url_map.iter_rules():
        plain = re.sub(r"<[^>]+>", "x", rule.rule)
        if not re.fullmatch(r"/|(/[a-z0-9]+(-[a-z0-9]+)*)+(\.[a-z0-9]+)?/?", plain):
            odd.append(rule.rule)
        odd += [f"{rule.rule}: {a}" for a in re.findall(r"<([a-z]+_id)>", rule.rule)]
    assert not odd, "\n".join(["", *odd])


def test_the_navigation_asks_for_what_its_pages_ask_for(app: Flask) -> None:
    with app.app_context():
        entries = extensions().navigation
    wrong = [e.endpoint for e in entries if app.view_functions[e.endpoint].access != e.permission]  # type: ignore[attr-defined]
    assert not wrong, "\n".join(["", *wrong])


def test_every_address_can_be_visited_by_these_tests(app: Flask, district: District) -> None:
    untaught = {r.rule for m in ("GET", "POST") for r in rules(app, m)}
    untaught -= {r.rule for m in ("GET", "POST") for r, _ in addresses(app, district, m)}
    assert untaught == set(), "teach their arguments to tests/rules/district.py"


def test_whatever_acts_wants_its_token(
    app: Flask, district: District, office: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    open_ones = []
    for rule, address in addresses(app, district, "POST"):
        answer = office.post(address)
        refused = answer.status_code == 400 and "open for too long" in answer.text
        if not refused and not rule.rule.startswith(WITHOUT_TOKEN):
            open_ones.append(f"{rule.rule} answers {answer.status_code}")
    assert not open_ones, "\n".join(["", *open_ones])


def test_a_get_changes_nothing(
    app: Flask, district: District, office: FlaskClient, queries: list[str]
) -> None:
    changed = []
    for _, address in addresses(app, district, "GET"):
        for browser in (office, app.test_client()):
            queries.clear()
            tried(browser, "GET", address)
            flat = [" ".join(query.split()) for query in queries]
            changed += [
                f"{address}: {q[:120]}" for q in flat if WRITES.search(q) and not SEEN.search(q)
            ]
    assert not changed, "\n".join(["", *changed])


def test_no_address_breaks_whatever_is_asked_of_it(
    app: Flask, district: District, office: FlaskClient
) -> None:
    broken = []
    for rule, address in addresses(app, district, "GET"):
        plain = address.split("?")[0]
        for junk in JUNK:
            names = ("q", "after", "page", "year", "school", "fate", "state", "lang", "next", "way")
            broken += tried(office, "GET", plain, query_string=dict.fromkeys(names, junk))
        wrong = re.sub(r"<int:[^>]+>", "9" * 30, rule.rule)
        broken += tried(office, "GET", re.sub(r"<[^>]+>", "%00%ff", wrong))
    assert not broken, "\n".join(["", *broken])


def test_no_form_breaks_whatever_is_typed_into_it(
    app: Flask, district: District, office: FlaskClient
) -> None:
    broken = []
    for address, fields in forms_of(app, district, office):
        for junk in JUNK:
            broken += tried(office, "POST", address, data=dict.fromkeys(fields, junk))
        broken += tried(office, "POST", address, data=b"\xff\xfe%00=%ff", content_type=FORM)
    assert not broken, "\n".join(["", *broken])


FORM = "application/x-www-form-urlencoded"


def tried(browser: FlaskClient, method: str, address: str, **options: Any) -> list[str]:
    """What went wrong, if the answer blames us."""
    try:
        status = browser.open(address, method=method, **options).status_code
    except Exception as error:
        return [f"{method} {address}: {type(error).__name__}: {str(error)[:160]}"]
    return [f"{method} {address}: {status}"] if status >= 500 and status != 503 else []


def forms_of(app: Flask, district: District, browser: FlaskClient) -> list[tuple[str, list[str]]]:
    """Where each form goes and its fields: those found on pages, and POST routes nobody links."""
    found: dict[str, set[str]] = {place: set() for _, place in addresses(app, district, "POST")}
    for _, place in addresses(app, district, "GET"):
        page = opened(browser, place)
        if page is None or page.mimetype != "text/html":
            continue
        for form in BeautifulSoup(page.text, "html.parser").find_all("form", method="post"):
            names = (f.get("name") for f in form.find_all(["input", "select", "textarea"]))
            target = str(form.get("action") or place)
            found.setdefault(target, set()).update(str(n) for n in names if n)
    return [(place, sorted(fields)) for place, fields in found.items()]


def opened(browser: FlaskClient, address: str) -> TestResponse | None:
    """The page, or None if it broke (which another test tells)."""
    try:
        return browser.get(address)
    except Exception:
        return None
