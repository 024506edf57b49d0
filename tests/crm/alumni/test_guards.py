"""References that triggers keep instead of foreign keys: whoever is named is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.factories import Make

NOBODY = 987_654_321
ROWS = {
    "external_id": "insert into external_id (alumnus_id, system, value) values (:who, 'sis', '1')",
    "contact_point": """insert into contact_point (alumnus_id, kind, value, key, owner, status,
        preferred, source, created_at, updated_at)
        values (:who, 'email', 'a@b.example', 'a@b.example', 'own', 'ok', false, '', now(),
            now())""",
    "schooling": """insert into schooling (alumnus_id, school_id, status)
        values (:who, :school, 'enrolled')""",
}
PERSON = """insert into alumnus (id, given_name, middle_name, family_name, suffix, preferred_name,
    former_name, name_key, sort_key, language, ferpa_block, deceased, do_not_contact, custom,
    link_epoch, created_at, updated_at)
    values (1, 'Ada', '', '', '', '', '', 'ada', 'ada', 'en', false, false, false, '{}', 0, now(),
        now())"""
NAMED = "insert into external_id (alumnus_id, system, value) values (1, 'sis', '1')"


@pytest.mark.parametrize("table", ROWS)
def test_a_row_of_nobody_is_refused(session: Session, make: Make, table: str) -> None:
    values = {"who": NOBODY, "school": make.school().id}
    with pytest.raises(IntegrityError, match=f"fk_{table}_alumnus_id|is not there"):
        session.execute(text(ROWS[table]), values)


def test_a_schooling_at_no_school_is_refused(session: Session, make: Make) -> None:
    with pytest.raises(IntegrityError, match="not there"):
        session.execute(text(ROWS["schooling"]), {"who": make.alumnus().id, "school": NOBODY})


@pytest.mark.parametrize("table", ROWS)
def test_a_row_does_not_move_to_nobody(session: Session, make: Make, table: str) -> None:
    session.execute(text(ROWS[table]), {"who": make.alumnus().id, "school": make.school().id})
    with pytest.raises(IntegrityError, match="not there"):
        session.execute(text(f"update {table} set alumnus_id = {NOBODY}"))


@pytest.mark.parametrize("table", ROWS)
def test_nobody_goes_who_is_still_named(session: Session, make: Make, table: str) -> None:
    person = make.alumnus()
    session.execute(text(ROWS[table]), {"who": person.id, "school": make.school().id})
    with pytest.raises(IntegrityError, match="still names"):
        session.execute(text("delete from alumnus where id = :id"), {"id": person.id})


def test_a_run_with_lines_and_a_school_with_pupils_stay(
    session: Session, make: Make, now: datetime
) -> None:
    school = make.school()
    session.execute(text(ROWS["schooling"]), {"who": make.alumnus().id, "school": school.id})
    with pytest.raises(IntegrityError, match="still names"), session.begin_nested():
        session.execute(text("delete from school where id = :id"), {"id": school.id})
    run = session.scalar(
        text(
            """insert into import_run
                (kind, filename, mapping, state, totals, lines_done, created_at)
            values ('people', 'x.csv', '{}', 'applied', '{}', 0, :now) returning id"""
        ),
        {"now": now},
    )
    session.execute(
        text("insert into import_line (import_id, line, fate) values (:id, 2, 'create')"),
        {"id": run},
    )
    with pytest.raises(IntegrityError, match="still names"):
        session.execute(text("delete from import_run where id = :id"), {"id": run})


@pytest.fixture
def two(make_database: Callable[[], URL]) -> Iterator[tuple[psycopg.Connection[Any], ...]]:
    """Two connections to a database with one person in it."""
    url = make_database().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        first.execute(PERSON)
        first.commit()
        yield first, second


def test_who_is_named_meanwhile_is_not_deleted(two: tuple[psycopg.Connection[Any], ...]) -> None:
    first, second = two
    first.execute(NAMED)
    with pytest.raises(ForeignKeyViolation):
        _both(second, "delete from alumnus", first)


def test_who_is_deleted_meanwhile_is_not_named(two: tuple[psycopg.Connection[Any], ...]) -> None:
    first, second = two
    first.execute("delete from alumnus")
    with pytest.raises(ForeignKeyViolation):
        _both(second, NAMED, first)


def _both(waiting: psycopg.Connection[Any], statement: str, other: psycopg.Connection[Any]) -> None:
    """Run a statement that has to wait until the other transaction commits."""
    faults: list[Exception] = []

    def act() -> None:
        try:
            waiting.execute(statement)
        except psycopg.Error as error:
            faults.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    deadline = time.monotonic() + 30
    waits = "select exists (select from pg_locks where not granted and pid = %s)"
    while time.monotonic() < deadline:
        found = other.execute(waits, [waiting.info.backend_pid]).fetchone()
        if found and found[0]:
            break
        time.sleep(0.02)
    assert thread.is_alive()
    other.commit()
    thread.join(30)
    waiting.rollback()
    if faults:
        raise faults[0]
