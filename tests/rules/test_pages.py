"""Every page, for every role: it opens or says why not, and is built as a page must be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from crm.accounts.models import User
from crm.core.viewer import ROLE_PERMISSIONS, Role
from tests.factories import Make
from tests.rules.district import addresses, seed
from tests.rules.page_checks import faults_of, faults_of_piece

LETTERS = {"campaigns.preview_html", "mailbox.html", "mail.html"}
"""Endpoints that answer a letter for a frame, built by the mail area's own rules."""


PIECES = {
    "bulk.progress",
    "composing.preview",
    "door.counts",
    "exports.progress",
    "imports.progress",
    "model.progress",
    "rehearsals.progress",
}
"""Endpoints that answer a piece of a page, fetched by its script."""


@pytest.mark.parametrize("role", list(Role))
def test_every_page_opens_for_those_who_may_and_is_well_built(
    app: Flask,
    make: Make,
    login_as: Callable[[User], FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
    role: Role,
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    district = seed(make)
    browser = login_as(district.users[role])
    viewer_may = ROLE_PERMISSIONS[role]
    faults = []
    for rule, address in addresses(app, district, "GET"):
        answer, fault = opened(browser, address)
        if answer is None:
            faults.append(fault)
            continue
        access = app.view_functions[rule.endpoint].access  # type: ignore[attr-defined]
        allowed = access == "public" or access in viewer_may
        if not allowed and answer.status_code != 403:
            faults.append(f"{address} answers {answer.status_code} to a {role}")
        if role is Role.COORDINATOR and answer.status_code >= 400 and access != "public":
            faults.append(f"{address} answers {answer.status_code}")
        page = answer.mimetype == "text/html" and answer.status_code not in range(300, 400)
        if page and rule.endpoint not in LETTERS:
            check = faults_of_piece if rule.endpoint in PIECES else faults_of
            faults += [f"{address}: {fault}" for fault in check(answer.text)]
    assert not faults, "\n".join(["", *faults])


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_opens_in_every_language(
    app: Flask, make: Make, login_as: Callable[[User], FlaskClient], language: str
) -> None:
    district = seed(make)
    browser = login_as(district.users[Role.COORDINATOR])
    wrong = []
    for rule, address in addresses(app, district, "GET"):
        answer, _ = opened(browser, f"{address}{'&' if '?' in address else '?'}lang={language}")
        page = answer is not None and answer.status_code == 200 and answer.mimetype == "text/html"
        if not page or rule.endpoint in LETTERS | PIECES or answer is None:
            continue
        if f'<html lang="{language}"' not in answer.text:
            wrong.append(address)
    assert not wrong, "\n".join(["", *wrong])


def test_an_anonymous_visitor_is_sent_to_the_sign_in_page(app: Flask, make: Make) -> None:
    district = seed(make)
    browser = app.test_client()
    open_ones = []
    for rule, address in addresses(app, district, "GET"):
        if app.view_functions[rule.endpoint].access != "public":  # type: ignore[attr-defined]
            answer = browser.get(address)
            if answer.status_code != 302 or "/sign-in" not in answer.headers["Location"]:
                open_ones.append(rule.rule)
    assert not open_ones, "\n".join(["", *open_ones])


def opened(browser: FlaskClient, address: str) -> tuple[TestResponse | None, str]:
    """The page, or what broke it."""
    try:
        return browser.get(address), ""
    except Exception as error:
        return None, f"{address}: {type(error).__name__}: {str(error)[:200]}"
