"""Erasing and exporting reach every table that names a person, whoever adds it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import Table

from crm.core.database import db
from crm.core.extend import Deed, extensions

ADDRESS = re.compile(r"(^|_)(email|address|recipient|phone)(_|$)")
HELP = (
    "declare it in the wiring of its area: extensions(app).personal[table] = Personal(Deed.…), or"
    " .derived[table] if it is computed from people's facts; see docs/erasing.md"
)


def names_people(table: Table) -> bool:
    """Whether a table points at a person, or has a column that holds addresses."""
    points = any(key.column.table.name == "alumnus" for key in table.foreign_keys)
    words = {column.name for column in table.columns}
    person = "alumnus_id" in words or "person_id" in words
    return points or person or any(ADDRESS.search(word) for word in words)


def undeclared(tables: list[Table], known: set[str]) -> list[str]:
    return [table.name for table in tables if names_people(table) and table.name not in known]


def test_every_table_that_names_a_person_says_what_erasing_does_to_it(app: Flask) -> None:
    registry = extensions(app)
    known = {*registry.personal, *registry.derived, *registry.stripped}
    assert undeclared(list(db.metadata.sorted_tables), known) == [], HELP


@pytest.mark.parametrize("table", ["message", "contact_point", "import_line", "staff_user", "ask"])
def test_a_table_that_nobody_declared_would_be_found(app: Flask, table: str) -> None:
    registry = extensions(app)
    known = {*registry.personal, *registry.derived, *registry.stripped} - {table}
    assert undeclared(list(db.metadata.sorted_tables), known) == [table]


def test_what_is_declared_is_there_and_what_stays_says_why(app: Flask) -> None:
    for name, mine in extensions(app).personal.items():
        assert name in db.metadata.tables, f"{name} is no table of ours"
        assert bool(mine.values) == (mine.deed is Deed.EMPTIED and name != "alumnus"), name
        assert mine.deed is not Deed.KEPT or mine.why, f"{name} stays and does not say why"
