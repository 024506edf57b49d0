"""The frame around every page: languages, navigation, files and headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from crm.accounts.models import User
from crm.core.viewer import Role
from crm.web.i18n import text_direction
from tests.factories import Make


def test_a_chosen_language_is_kept_for_the_visit(client: FlaskClient) -> None:
    assert '<html lang="en"' in client.get("/sign-in").text
    assert '<html lang="es"' in client.get("/sign-in?lang=es").text
    assert '<html lang="es"' in client.get("/sign-in").text
    assert '<html lang="es"' in client.get("/sign-in?lang=tlh").text


def test_an_account_reads_its_own_language_on_error_pages_too(
    make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    browser = login_as(make.user(language="es"))
    assert '<html lang="es"' in browser.get("/nowhere").text


def test_switching_the_language_keeps_the_rest_of_the_address(client: FlaskClient) -> None:
    page = BeautifulSoup(client.get("/sign-in?next=%2Fpeople%3Fq%3Da").text, "html.parser")
    link = page.find("a", hreflang="es")
    assert link is not None
    assert link["href"] == "?next=%2Fpeople%3Fq%3Da&lang=es"


def test_arabic_runs_from_right_to_left() -> None:
    assert text_direction("ar") == "rtl"
    assert text_direction("es") == "ltr"


def test_a_school_account_sees_only_what_it_may_open(
    make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    page = login_as(make.user(Role.SCHOOL, school=make.school())).get("/").text
    assert 'href="/people"' in page
    assert 'href="/campaigns/"' not in page


def test_the_present_page_is_marked_in_the_navigation(coordinator: FlaskClient) -> None:
    page = BeautifulSoup(coordinator.get("/").text, "html.parser")
    marked = page.select("nav.hc-side a[aria-current]")
    assert [a["href"] for a in marked] == ["/"]


def test_files_may_be_kept_for_good_but_only_under_their_own_fingerprint(
    app: Flask, client: FlaskClient
) -> None:
    page = BeautifulSoup(client.get("/sign-in").text, "html.parser")
    sheets = [str(link["href"]) for link in page.find_all("link", rel="stylesheet")]
    assert len(sheets) >= 2
    for sheet in sheets:
        answer = client.get(sheet, buffered=True)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    stale = client.get(sheets[0].split("?")[0] + "?v=0123456789", buffered=True)
    assert "immutable" not in str(stale.headers.get("Cache-Control"))


def test_pages_are_not_kept_and_may_not_be_framed_elsewhere(client: FlaskClient) -> None:
    headers = client.get("/sign-in").headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_what_is_kept_of_a_page_is_kept_for_each_role_and_language(
    make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    assert 'href="/imports"' in login_as(make.user()).get("/").text
    assert (
        'href="/imports"'
        not in login_as(make.user(Role.SCHOOL, school=make.school())).get("/").text
    )
    assert ">Personas<" in login_as(make.user(language="es")).get("/people").text
    assert ">People<" in login_as(make.user()).get("/people").text


def test_the_mark_in_the_navigation_moves_with_the_page(coordinator: FlaskClient) -> None:
    for address in ("/", "/people", "/imports", "/people/nowhere/at/all"):
        page = BeautifulSoup(coordinator.get(address).text, "html.parser")
        marked = [a["href"] for a in page.select("nav.hc-side a[aria-current]")]
        assert marked == ["/" + address.split("/")[1]]


def test_the_keeping_of_records_folds_under_one_word_that_is_open_where_one_is(
    coordinator: FlaskClient, make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    def group(client: FlaskClient, address: str) -> Any:
        page = BeautifulSoup(client.get(address).text, "html.parser")
        return page.select_one("nav.hc-side details")

    kept = ["/classmates", "/imports", "/exports", "/bulk", "/duplicates"]
    assert [a["href"] for a in group(coordinator, "/").select("a")] == kept
    assert not group(coordinator, "/").has_attr("open")
    assert group(coordinator, "/exports").has_attr("open")
    assert group(login_as(make.user(Role.VIEWER)), "/") is None
