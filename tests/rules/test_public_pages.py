"""Every page that alumni and the public meet: whole in each of their languages, and staff apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import gettext, refresh
from werkzeug.routing import Rule
from werkzeug.test import TestResponse
from wtforms.i18n import messages_path

from crm.accounts.models import User
from crm.web.i18n import LANGUAGES, translations
from tests.factories import Make
from tests.rules.district import District, addresses, seed
from tests.rules.public_words import words_of_forms

each_language = pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))


class Unsaid:
    """Stands behind a catalogue, and notes what was looked for there in vain."""

    def __init__(self) -> None:
        self.words = set[str]()

    def gettext(self, words: str) -> str:
        self.words.add(words)
        return words

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.gettext(one if count == 1 else many)

    ugettext, ungettext = gettext, ngettext


@pytest.fixture
def language() -> str:
    return "am"


@pytest.fixture
def unsaid(app: Flask, monkeypatch: pytest.MonkeyPatch, language: str) -> Unsaid:
    found = Unsaid()
    with app.test_request_context(f"/join?lang={language}"):
        monkeypatch.setattr(translations(), "_fallback", found)
    return found


def open_to_anybody(app: Flask, district: District, method: str) -> Iterator[tuple[Rule, str]]:
    for rule, address in addresses(app, district, method):
        view: Any = app.view_functions[rule.endpoint]
        inside = getattr(view, "entrance", False) or rule.rule.startswith("/hooks/")
        if view.access == "public" and not inside:
            yield rule, address


def is_page(answer: TestResponse) -> bool:
    return answer.mimetype == "text/html" and answer.status_code not in range(300, 400)


@each_language
def test_no_page_of_the_public_is_half_translated(
    app: Flask, make: Make, client: FlaskClient, unsaid: Unsaid, language: str
) -> None:
    visited, wrong = 0, []
    for _rule, address in open_to_anybody(app, seed(make), "GET"):
        answer = client.get(f"{address}{'&' if '?' in address else '?'}lang={language}")
        if is_page(answer):
            visited += 1
            if f'<html lang="{language}"' not in answer.text:
                wrong.append(address)
    assert client.get("/nowhere").status_code == 404
    assert visited > 15
    assert (wrong, unsaid.words) == ([], set())


@each_language
def test_nothing_that_a_form_of_the_public_answers_is_half_translated(
    app: Flask, make: Make, client: FlaskClient, unsaid: Unsaid, language: str
) -> None:
    district = seed(make)
    client.get(f"/join?lang={language}")
    forms = {address: set[str]() for _rule, address in open_to_anybody(app, district, "POST")}
    for _rule, address in open_to_anybody(app, district, "GET"):
        page = BeautifulSoup(client.get(address).text, "html.parser")
        for form in page.find_all("form", method="post"):
            fields = (f.get("name") for f in form.find_all(["input", "select", "textarea"]))
            names = forms.setdefault(str(form.get("action") or address), set())
            names |= {str(name) for name in fields if name}
    answers = 0
    for address, names in forms.items():
        for data in ({}, dict.fromkeys(names - {"website"}, "9?" * 300)):
            answer = client.post(address, data=data, follow_redirects=True)
            answers += is_page(answer)
    assert answers > 20
    # What the library of forms says in that language of its own accord.
    theirs = dict(words_of_forms()) if (Path(messages_path()) / language).exists() else {}
    said = {form for words in theirs for form in ([words] if isinstance(words, str) else words)}
    assert unsaid.words - said == set()


def test_a_word_left_in_english_would_be_found(app: Flask, unsaid: Unsaid) -> None:
    with app.test_request_context("/join?lang=am"):
        assert str(gettext("Stop all mail")) != "Stop all mail"
        assert str(gettext("Never said")) == "Never said"
    assert unsaid.words == {"Never said"}


def test_staff_pages_fall_back_where_only_the_public_is_spoken_to(
    app: Flask, make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    """Whoever looked at a page of the public in Amharic still gets their own pages whole."""
    browser = login_as(make.user(language="es"))
    assert '<html lang="am"' in browser.get("/join?lang=am").text
    for address in ("/", "/people", "/nowhere", "/people/999999"):
        page = browser.get(address).text
        assert '<html lang="es"' in page, address
        assert "አማርኛ" not in page, address
    stranger = app.test_client()
    amharic = {"Accept-Language": "am"}
    assert '<html lang="en"' in stranger.get("/sign-in", headers=amharic).text
    assert '<html lang="am"' in stranger.get("/nowhere", headers=amharic).text
    assert '<html lang="am"' in stranger.get("/help-a-school", headers=amharic).text


def test_a_ticket_is_shown_to_the_door_in_a_language_of_staff(
    app: Flask, make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    district = seed(make)
    (address,) = (
        a for r, a in open_to_anybody(app, district, "GET") if r.endpoint == "door.ticket"
    )
    refresh()  # type: ignore[no-untyped-call]  # seeding spoke English in the context of the test
    assert '<html lang="am"' in app.test_client().get(f"{address}?lang=am").text
    assert '<html lang="en"' in login_as(make.user()).get(f"{address}?lang=am").text


def test_the_switch_offers_the_languages_that_there_are(
    client: FlaskClient, coordinator: FlaskClient
) -> None:
    def offered(address: str) -> list[str]:
        page = BeautifulSoup(client.get(address).text, "html.parser")
        return [str(one["lang"]) for one in page.select(".hc-languages [lang]")]

    assert offered("/join") == list(LANGUAGES)
    assert set(offered("/people")) <= {"en", "es"}


def test_the_library_of_forms_speaks_amharic(client: FlaskClient) -> None:
    page = client.post("/join?lang=am", data={"given_name": ""}).text
    assert "ይህን መሙላት ግዴታ ነው።" in page
    assert "This field is required." not in page
