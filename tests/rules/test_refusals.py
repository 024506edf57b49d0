"""Every refusal that a page can show is said in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from crm.core.errors import Invalid
from tests.factories import Make
from tests.rules.public_words import ROOT
from tests.rules.refused import said_in
from tests.rules.test_translations import known_in

PACKAGES = ("crm", "segments", "lifecycle")
ELSEWHERE = {
    "cli.py": "said at a terminal",
    "crm/core/embedded": "said at a terminal, before there is a page",
    "crm/core/migrations.py": "said at a terminal, before there is a page",
    "crm/imports/mapping.py": "about a file of settings that the command is given",
    "crm/mail/inbound.py": "said to the mail provider",
    "crm/mail/sendgrid.py": "kept with the message, for whoever runs the program",
    "crm/mail/transport.py": "said to the log",
    "crm/mail/webhook.py": "said to the mail provider",
}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not any(name.startswith(place) or path.name == place for place in ELSEWHERE):
                yield path


def test_every_refusal_of_a_page_is_in_the_catalogue() -> None:
    known, wrong, count = known_in("es"), [], 0
    for path in modules():
        for text in said_in(path.read_text()):
            count += 1
            if text not in known:
                wrong.append(f"{path.relative_to(ROOT)}: {text or 'put together of pieces'}")
    assert count > 150
    assert wrong == []


def test_an_untranslated_refusal_would_be_found() -> None:
    assert said_in('raise Conflict("Nobody ever said this.")') == ["Nobody ever said this."]
    assert said_in('raise Invalid(f"At most {n} of them.", field="x")') == [""]
    assert said_in('wrong = "Not that."\nraise NotFound(wrong)') == ["Not that."]
    assert said_in('words = {1: "Not it."}\nraise fault(words.get(1), place)') == ["Not it."]
    assert said_in('raise Conflict(_("Said in words."))') == []
    assert said_in('raise Refused(["a.csv: is empty."])') == []


def test_a_refusal_is_said_in_the_language_of_its_reader(app: Flask) -> None:
    refusal = Invalid("Use at most %(most)s characters.", field="note", most=30)
    assert str(refusal) == "Use at most 30 characters."
    with app.test_request_context("/?lang=es"):
        assert str(refusal) == "Usa como máximo 30 caracteres."


def test_pages_refuse_in_spanish(coordinator: FlaskClient) -> None:
    coordinator.get("/?lang=es")
    assert "No existe ese par, o ya se decidió." in coordinator.get("/duplicates/1/2").text
    asked = coordinator.get("/people?q=clas:2015").text
    assert "No existe el campo “clas”. ¿Quisiste decir class:?" in asked
    assert "Este paréntesis nunca se cierra." in coordinator.get("/people?q=(ada").text
    assert "el nombre de un campo" not in asked


def test_a_field_of_a_profile_is_refused_in_spanish_beside_it(
    coordinator: FlaskClient, make: Make
) -> None:
    person = make.alumnus()
    address = f"/people/{person.id}/edit"
    coordinator.get("/?lang=es")
    page = BeautifulSoup(coordinator.get(address).text, "html.parser")
    values = {field["name"]: field.get("value", "") for field in page.select("form input[name]")}
    values |= {"language": "en", "time_zone": "Mars/Olympus"}
    for box in page.select("form input[type=checkbox]"):
        values.pop(str(box["name"]), None)
    answer = coordinator.post(address, data=values)
    assert answer.status_code == 422
    fault = BeautifulSoup(answer.text, "html.parser").select_one("[id$=time_zone-error]")
    assert fault is not None
    assert "Escribe una zona horaria como America/New_York." in fault.text
