"""What the program offers is written down, under the names it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask

from crm.core.settings import NOT_OURS, Settings, environment_name

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
MACHINES = ("/healthz", "/readyz", "/metrics", "/hooks/", "/me/", "/ask/", "/unsubscribe/")


def names(group: click.Group, before: str = "") -> Iterator[str]:
    """The full names of all commands; of Flask-Migrate's only the one that is ours to keep."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names(command, f"{before}{name} ")
        elif before != "db " or name == "upgrade":
            yield before + name


def missing_commands(app: Flask, text: str) -> list[str]:
    return [name for name in names(app.cli) if f"`{name}`" not in text and f"`{name} " not in text]


def test_the_surface_names_every_command(app: Flask) -> None:
    assert missing_commands(app, (DOCS / "surface.md").read_text("utf-8")) == []


def test_a_command_that_is_not_written_down_would_be_found(app: Flask) -> None:
    text = (DOCS / "surface.md").read_text("utf-8").replace("`lifecycle verify`", "")
    assert missing_commands(app, text) == ["lifecycle verify"]


def test_the_surface_names_every_option(app: Flask) -> None:
    text = (DOCS / "surface.md").read_text("utf-8")
    parameters = {
        option
        for name in names(app.cli)
        for parameter in _command(app.cli, name.split()).params
        for option in parameter.opts
        if option.startswith("--") and not name.startswith("db ")
    }
    assert [option for option in sorted(parameters) if option not in text] == []


def _command(group: click.Group, path: list[str]) -> click.Command:
    found: click.Command = group
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def test_the_settings_page_names_every_setting() -> None:
    text = (DOCS / "settings.md").read_text("utf-8")
    known = [environment_name(field) for field in Settings.model_fields] + sorted(NOT_OURS)
    assert [name for name in known if f"`{name}`" not in text] == []


def test_the_surface_names_every_address_that_others_may_rely_on(app: Flask) -> None:
    text = (DOCS / "surface.md").read_text("utf-8")
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(MACHINES)}
    whole = {rule for rule in rules if rule.count("/") <= 2 or rule.startswith("/hooks/")}
    assert [rule for rule in sorted(whole) if f"{rule}`" not in text] == []


def test_every_page_of_the_documents_can_be_found_from_the_first_ones() -> None:
    start = (ROOT / "README.md").read_text("utf-8") + (DOCS / "architecture.md").read_text("utf-8")
    assert [page.name for page in sorted(DOCS.glob("*.md")) if f"{page.name})" not in start] == []


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]
        for target in LINK.findall(page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = sorted(path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
