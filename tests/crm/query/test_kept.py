"""Queries that are kept mean what putting them together anew means, for whoever asks and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from crm.alumni.models import Way
from crm.core.extend import QueryContext, extensions
from crm.core.viewer import SYSTEM, Permission, Role, Viewer
from crm.query import QueryError, compile_query
from crm.query.compiled import Compiled
from crm.query.sentence import sentence
from crm.schools.models import School
from segments.saved.service import create_segment
from tests.crm.imports.conftest import north as north

NARROW = Viewer(user_id=2, role=Role.SCHOOL, school_ids=frozenset({1}))
BLIND = Viewer(user_id=3, role=Role.LIAISON, permissions=frozenset({Permission.PEOPLE_VIEW}))


def asked(session: Session, text: str, viewer: Viewer, at: datetime) -> tuple[Any, ...]:
    """A query's canonical text, sentence and SQL with its values, or its error."""
    try:
        found = compile_query(text, QueryContext(session, viewer, at))
    except QueryError as error:
        return (str(error), error.suggestion)
    return (found.text, sentence(found), *(sql(one) for one in (found.condition, found.each)))


def sql(condition: Any) -> tuple[str, Any]:
    made = condition.compile(dialect=postgresql.dialect())
    return str(made), made.params


def anew(session: Session, text: str, viewer: Viewer, at: datetime) -> tuple[Any, ...]:
    extensions().queries.clear()
    return asked(session, text, viewer, at)


def texts(app: Flask) -> list[str]:
    known = extensions(app)
    said = [field.example or field.key for field in known.query_fields]
    said += [rows.example for rows in known.query_rows.values()]
    return ["", "mar gr", "-class:2010", "class:2010..2015 or last:30d", "segment:kept", *said]


def test_a_kept_query_is_what_putting_it_together_anew_makes_of_it(
    app: Flask, session: Session, north: School, now: datetime
) -> None:
    create_segment(session, name="Kept", query="class:2010", by=SYSTEM, at=now)
    later = now + timedelta(days=800)
    for text in texts(app):
        asked(session, text, SYSTEM, now)
    north.name = "Renamed Academy"
    session.query(Way).update({"label": "Other words"})
    session.query(School).filter_by(id=north.id).update({"name": "Renamed Academy"})
    session.flush()
    for text in texts(app):
        for viewer, at in ((SYSTEM, now), (SYSTEM, later), (NARROW, now), (BLIND, later)):
            assert asked(session, text, viewer, at) == anew(session, text, viewer, at), text


def test_only_what_looks_at_nothing_is_kept(app: Flask, session: Session, now: datetime) -> None:
    def is_kept(text: str) -> bool:
        pair = [compile_query(text, QueryContext(session, SYSTEM, now)) for _ in range(2)]
        return pair[0].condition is pair[1].condition

    for text in ("", "mar", "class:2010..2015", "stage:leading", "did:gift"):
        assert is_kept(text), text
    for text in ("last:30d", "last:2020", "way:mentor", "age:18..25"):
        assert not is_kept(text), text


def test_a_choice_is_read_in_the_readers_language(
    app: Flask, session: Session, now: datetime
) -> None:
    def ask(language: str, text: str) -> tuple[Any, ...]:
        with app.test_request_context(), force_locale(language):
            return asked(session, text, SYSTEM, now)

    assert ask("es", 'stage:"con liderazgo"')[0] == ask("en", "stage:leading")[0] == "stage:leading"
    assert ask("en", 'stage:"con liderazgo"')[0] != "stage:leading"
    assert ask("es", "stage:leading")[1] != ask("en", "stage:leading")[1]


def test_what_is_kept_holds_no_session_and_is_not_many(
    app: Flask, session: Session, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.query.kept.MOST", 3)
    extensions().queries.clear()
    for year in range(2000, 2010):
        found = compile_query(f"class:{year}", QueryContext(session, SYSTEM, now))
        assert found.meaning.session is session
        compile_query("class:2000", QueryContext(session, SYSTEM, now))
    kept: list[Compiled] = [*extensions().queries.values()]
    assert [one.text for one in kept] == ["class:2008", "class:2009", "class:2000"]
    assert {one.meaning.session for one in kept} == {None}
