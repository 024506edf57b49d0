"""The trail, the installation page, the commands, and how the pages of settings hang together."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User, UserScope
from crm.core.extend import extensions
from crm.core.viewer import Role
from tests.factories import Make

Login = Callable[[User], FlaskClient]


def test_the_audit_trail_is_paged_and_filtered(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    for n in range(120):
        kind = "user" if n % 2 else "campaign"
        make.save(
            AuditEntry(at=now, user_id=None, action=f"did.{n}", object_kind=kind, object_id="1")
        )

    def listed(address: str) -> str:
        page = BeautifulSoup(coordinator.get(address).text, "html.parser")
        return page.find("tbody").get_text("|", strip=True)

    assert "did 119|" in listed("/audit")
    assert "did 60|" not in listed("/audit")
    assert "did 118|" in listed("/audit?kind=campaign")
    assert "did 119|" not in listed("/audit?kind=campaign")
    assert "did 119|" in listed("/audit?after=nonsense")
    assert coordinator.get("/audit?after=%00%ff&kind=%00").status_code < 500
    assert coordinator.get("/audit?kind=nothing").status_code == 200


def test_the_installation_page_says_what_doctor_says(coordinator: FlaskClient) -> None:
    page = coordinator.get("/settings/installation").text
    assert "PostgreSQL" in page
    assert "News from your school" in coordinator.get("/settings/topics").text


def test_the_installation_page_speaks_spanish_and_the_command_english(
    coordinator: FlaskClient, runner: Any
) -> None:
    page = coordinator.get("/settings/installation?lang=es").text
    assert "clave secreta" in page
    assert "Fija HOMECOMING_POSTAL_ADDRESS" in page
    assert "secret key" not in page
    assert "secret key" in runner.invoke(args=["doctor"]).output


def test_the_command_prints_a_link_and_a_second_one_replaces_it(
    runner: Any, session: Session, client: FlaskClient
) -> None:
    words = ["users", "invite", "Ada@district.example", "--role", "coordinator", "--json"]
    links = []
    for _ in range(2):
        result = runner.invoke(args=words)
        assert result.exit_code == 0, result.output
        links.append(json.loads(result.stdout.splitlines()[-1])["link"])
    paths = [link.removeprefix("http://localhost") for link in links]
    assert client.post(paths[0]).status_code == 410
    assert client.post(paths[1]).status_code == 303
    listed = json.loads(runner.invoke(args=["users", "list", "--json"]).stdout)
    assert [row["email"] for row in listed["users"]] == ["ada@district.example"]


def test_the_command_takes_school_and_cluster(runner: Any, session: Session, make: Make) -> None:
    make.school("Carver", nces_id="130012000001")
    make.cluster("North")
    words = ["users", "invite", "x@district.example", "--role", "liaison", "--cluster", "North"]
    words += ["--school", "130012000001", "--json"]
    assert runner.invoke(args=words).exit_code == 0
    assert len(session.scalars(select(UserScope)).all()) == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nonsense", "--role", "coordinator"], "no mail address"),
        (["a@b.example", "--role", "school", "--school", "130012009999"], "130012009999"),
        (["a@b.example", "--role", "liaison", "--cluster", "Nowhere"], "Nowhere"),
        (["a@b.example", "--role", "school"], "at least one school"),
    ],
)
def test_the_command_names_what_is_wrong(
    runner: Any, session: Session, words: list[str], problem: str
) -> None:
    result = runner.invoke(args=["users", "invite", *words])
    assert result.exit_code == 1
    assert problem in result.stderr
    assert session.scalars(select(User)).all() == []


def tabs_of(page: str) -> dict[str, list[tuple[str, str | None]]]:
    """The rows of links above a settings page: label of the row → (address, how marked)."""
    rows = BeautifulSoup(page, "html.parser").select(".hc-sections nav")
    return {
        str(row["aria-label"]): [
            (str(a["href"]), str(a["aria-current"]) if a.has_attr("aria-current") else None)
            for a in row.select("a")
        ]
        for row in rows
    }


def test_settings_stand_in_groups_and_only_the_open_one_shows_its_pages(
    coordinator: FlaskClient,
) -> None:
    rows = tabs_of(coordinator.get("/settings/under-18").text)
    assert list(rows) == ["Settings", "Mail"]
    groups = [address for address, _ in rows["Settings"]]
    assert groups == [
        "/settings", "/settings/installation", "/settings/topics", "/settings/data-requests",
        "/settings/users",
    ]  # fmt: skip
    assert [mark for _, mark in rows["Settings"]] == [None, None, "true", None, None]
    assert rows["Mail"][:2] == [("/settings/topics", None), ("/settings/under-18", "page")]
    assert [mark for _, mark in rows["Mail"][2:]] == [None] * len(rows["Mail"][2:])


def test_every_page_of_settings_is_reached_from_its_group(
    app: Flask, coordinator: FlaskClient
) -> None:
    reached = set()
    for group, _ in tabs_of(coordinator.get("/settings").text)["Settings"]:
        rows = tabs_of(coordinator.get(group).text)
        assert len([mark for row in rows.values() for _, mark in row if mark == "page"]) == 1
        reached |= {address for row in rows.values() for address, _ in row}
    with app.test_request_context():
        assert reached == {url_for(page.endpoint) for page in extensions(app).settings_pages}


def test_who_may_open_only_their_own_account_sees_no_row_of_groups(
    login_as: Login, make: Make
) -> None:
    assert tabs_of(login_as(make.user(Role.VIEWER)).get("/settings").text) == {}
