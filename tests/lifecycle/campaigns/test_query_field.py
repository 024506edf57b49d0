"""Wherever a query is kept, its field helps to write it and its page says whom it means."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lifecycle.journeys.starters import starter_text
from tests.factories import Make

SAYS = "People who are of the class of 2015"


@pytest.mark.parametrize(("address", "name"), [("/campaigns/new", "query"), ("/segments/new", "q")])
def test_the_field_of_a_query_completes_previews_and_leads_to_the_form_that_builds_it(
    coordinator: FlaskClient, address: str, name: str
) -> None:
    page = BeautifulSoup(coordinator.get(f"{address}?q=class:2015").text, "html.parser")
    (field,) = page.select(f"textarea[name={name}]")
    assert field.text.strip() == "class:2015"
    assert coordinator.get(f"{field['data-complete']}?q=cla").json is not None
    preview = coordinator.get(f"{field['data-preview-url']}&q=class:2015").text
    assert SAYS in preview
    assert f"to={address.replace('/', '%2F')}" in preview or f"to={address}" in preview
    (link,) = page.select("#query-preview a")
    assert coordinator.get(str(link["href"])).status_code == 200


def test_a_fault_stands_at_the_field_and_what_was_typed_stays(coordinator: FlaskClient) -> None:
    data = {"name": "Spring", "topic_key": "news", "query": "clas:2015"}
    page = BeautifulSoup(coordinator.post("/campaigns/new", data=data).text, "html.parser")
    (field,) = page.select("textarea[name=query][aria-invalid]")
    assert field.text.strip() == "clas:2015"
    about = str(field["aria-describedby"]).split()
    fault = page.find(id=about[0])
    assert fault is not None
    assert "clas" in fault.text


def test_the_pages_of_what_keeps_a_query_say_whom_it_means(
    coordinator: FlaskClient, make: Make
) -> None:
    make.alumnus(class_year=2015)
    data = {"name": "Spring", "topic_key": "news", "query": "class:2015"}
    coordinator.post("/campaigns/new", data=data)
    coordinator.post("/segments/new", data={"name": "Of 2015", "q": "class:2015"})
    kept = [coordinator.get(at).text for at in ("/campaigns/spring", "/segments/of-2015")]
    assert [SAYS in page for page in kept] == [True, True]


def test_a_journey_says_who_enters_before_and_after_it_is_published(
    coordinator: FlaskClient,
) -> None:
    text = starter_text("reunion")
    checked = coordinator.post("/journeys/check", data={"text": text}).text
    assert coordinator.post("/journeys/publish", data={"text": text}).status_code == 303
    for page in (checked, coordinator.get("/journeys/reunion").text):
        assert "People who finished school 5, 10, or 25 years ago" in page
