"""The file of everything about somebody says every table and column in words."""

from __future__ import annotations

from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import Table
from sqlalchemy.orm import Session

from crm.alumni.everything import OURS
from crm.core.database import db
from crm.core.extend import extensions
from crm.core.viewer import SYSTEM
from crm.rights.everything import SECRET, everything, is_told, readable
from crm.rights.words import COLUMNS, TABLES
from tests.factories import Make


def told_tables(app: Flask) -> list[Table]:
    """The tables that may stand in the file: those that name a person, and those that say so."""
    personal = extensions(app).personal
    found = []
    for table in db.metadata.sorted_tables:
        mine = personal.get(table.name)
        named = any(key.column.table.name == "alumnus" for key in table.foreign_keys)
        said = mine is not None and mine.told and mine.where != "false"
        if table.name not in OURS and (named or said):
            found.append(table)
    return found


def test_every_table_and_column_of_the_file_has_words(app: Flask) -> None:
    tables = told_tables(app)
    assert len(tables) > 30
    assert [table.name for table in tables if table.name not in TABLES] == []
    columns = {
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if is_told(column.name) and column.name not in SECRET and column.name not in COLUMNS
    }
    assert columns == set()


def test_the_file_is_written_in_the_persons_language(session: Session, make: Make) -> None:
    selam = make.alumnus("Selam", "Abera", language="am", city="Atlanta", ways=("speak",))
    told = everything(session, selam.id, at=make.at, by=SYSTEM)
    page = BeautifulSoup(readable(told, "am"), "html.parser")
    assert page.html is not None
    assert page.html["lang"] == "am"
    headings = [heading.get_text() for heading in page.find_all(["h1", "h2", "dt", "strong"])]
    assert len(headings) > 10
    latin = [h for h in headings if any("a" <= c.lower() <= "z" for c in h) and "FERPA" not in h]
    assert latin == []
