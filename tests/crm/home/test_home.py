"""The home page: what needs the viewer, the first steps, and the cards of all areas."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from crm.accounts.models import User
from crm.core.extend import Extensions, FirstStep, Todo, extensions
from crm.core.viewer import Role
from tests.factories import Make


@pytest.fixture
def known(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Extensions:
    """The app's extension points with nothing on the home page but what the test registers."""
    registry = extensions(app)
    for name in ("todo", "home_cards", "first_steps"):
        monkeypatch.setattr(registry, name, [])
    return registry


def test_a_visitor_is_sent_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in")


def test_what_presses_most_stands_first_and_nothing_counts_zero(
    known: Extensions, coordinator: FlaskClient
) -> None:
    known.todo.append(lambda *_: [Todo("later", 2, "/b", order=20), Todo("never", 0, "/c")])
    known.todo.append(lambda *_: [Todo("<b>first</b>", 1200, "/a", "bad", order=10)])
    page = BeautifulSoup(coordinator.get("/").text, "html.parser")
    lines = [" ".join(line.get_text().split()) for line in page.select(".hc-todo li")]
    assert lines == ["1,200 <b>first</b>", "2 later"]


def test_each_role_is_told_what_will_stand_there(
    known: Extensions, make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    texts = set()
    for role in Role:
        page = BeautifulSoup(login_as(make.user(role)).get("/").text, "html.parser")
        section = page.find("section", attrs={"aria-labelledby": "todo"})
        assert section is not None
        texts.add(section.get_text())
    assert len(texts) == len(Role)


def test_the_first_open_step_is_the_one_to_take(
    known: Extensions, coordinator: FlaskClient
) -> None:
    steps = [
        FirstStep("Send", "…", "/send", False, 40),
        FirstStep("Schools", "…", "/schools", True, 10),
        FirstStep("Roster", "…", "/imports", False, 20),
    ]
    known.first_steps.append(lambda *_: steps)
    page = BeautifulSoup(coordinator.get("/").text, "html.parser")
    assert [h.get_text() for h in page.select(".hc-first h3")] == ["Schools", "Roster", "Send"]
    assert [a["href"] for a in page.select(".hc-first .btn-primary")] == ["/imports"]


def test_steps_that_are_all_done_are_gone(known: Extensions, coordinator: FlaskClient) -> None:
    known.first_steps.append(lambda *_: [FirstStep("Schools", "…", "/schools", True, 10)])
    assert "Set up your district" not in coordinator.get("/").text


def test_a_fresh_installation_begins_with_schools_and_ends_with_a_send(
    coordinator: FlaskClient, make: Make
) -> None:
    page = coordinator.get("/").text
    steps = [
        "Import your schools",
        "Import a roster",
        "Publish a journey",
        "Send your first letter",
    ]
    assert sorted(steps, key=page.index) == steps
    make.alumnus()
    page = BeautifulSoup(coordinator.get("/").text, "html.parser")
    done = [h.get_text() for h in page.select(".hc-first .hc-done h3")]
    assert done[:2] == ["Import your schools", "Import a roster"]


def test_a_school_account_is_not_asked_to_import(
    make: Make, login_as: Callable[[User], FlaskClient]
) -> None:
    assert "Import a roster" not in login_as(make.user(Role.SCHOOL)).get("/").text
