"""A roster as a student system exports it, against COPY of the same file into one plain table."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
from flask import current_app
from sqlalchemy import text

from benchmarks.data import empty_app
from benchmarks.figures import Figure, timed
from crm.core import clock
from crm.core.application import database_address
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.imports.schools import import_schools
from crm.imports.service import import_people
from demo.files import ROSTER_COLUMNS, write_roster, write_schools
from demo.people import population

GOAL = 6.0
MEMORY_GOAL_MB = 300.0
SEED = 20_260_901
CHUNK = 1024 * 1024
BARE = "floor: the rows it left, from table to table with the same indices"
WRITTEN = (
    "alumnus", "external_id", "schooling", "contact_point", "import_line", "alumnus_change",
    "remembered_line",
)  # fmt: skip


def run(people: int) -> list[Figure]:
    """Seconds of a first import and of the same file again; peak memory of this process."""
    with empty_app(), tempfile.TemporaryDirectory(prefix="homecoming-") as folder:
        at = clock.now()
        roster = Path(folder) / "roster.txt"
        write_roster(
            roster, population(people, seed=SEED, today=at.date()), graduated=True,
            left_on=date(at.year, 6, 1),
        )  # fmt: skip
        import_schools(db.session(), write_schools(Path(folder) / "s.csv"), at=at, by=SYSTEM)
        db.session.commit()
        with psycopg.connect(database_address(current_app)) as connection:
            floor = min(seconds(lambda: copy(connection, roster)) for _ in range(3))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        first = seconds(lambda: bring(roster))
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        bare = write_bare()
        again = seconds(lambda: bring(roster))
    return [
        Figure("imports", "roster of new people", people, "s", first, floor, GOAL),
        Figure("imports", "roster of new people", people, "s", first, bare, note=BARE),
        Figure("imports", "the same roster again", people, "s", again, floor, GOAL),
        Figure("imports", "memory besides the start", people, "MB", memory, MEMORY_GOAL_MB, 1.0),
    ]


def seconds(act: Callable[[], object]) -> float:
    """How long `act` takes."""
    return timed(act) / 1000


def bring(roster: Path) -> None:
    """What the command does."""
    import_people(db.session(), roster, at=clock.now(), by=SYSTEM)
    db.session.commit()


def write_bare() -> float:
    """Seconds for the rows that an import left, into tables that have nothing but its indices."""
    with db.engine.begin() as connection:
        for table in WRITTEN:
            connection.execute(
                text(
                    f"create table bare_{table} (like {table} including defaults including indexes)"
                )
            )
        statements = [text(f"insert into bare_{t} select * from {t}") for t in WRITTEN]
        return seconds(lambda: [connection.execute(statement) for statement in statements])


def copy(connection: psycopg.Connection, roster: Path) -> None:
    """The floor: the bytes of the file into one table of text columns, committed."""
    columns = ", ".join(f'"{name}" text' for name in ROSTER_COLUMNS)
    connection.execute("drop table if exists plain_roster")
    connection.execute(f"create table plain_roster ({columns})")
    statement = "copy plain_roster from stdin (format csv, delimiter E'\\t', header)"
    with (
        roster.open("rb") as source,
        connection.cursor() as cursor,
        cursor.copy(statement) as target,
    ):
        while chunk := source.read(CHUNK):
            target.write(chunk)
    connection.commit()
