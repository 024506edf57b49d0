"""Any merge and its taking back leave every row of every package as it was.

Tables are found by reflection; rows are copies of those that tests/rules/district.py seeds, and
where it leaves a table empty, of one made from what its columns ask for.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, UniqueConstraint, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from crm.core.database import Choice, db
from crm.core.viewer import SYSTEM
from crm.duplicates import merging
from crm.duplicates.followers import PERSON, followers
from tests.factories import Make
from tests.rules.district import seed

OTHERWISE = {
    "alumnus": "the record itself",
    "duplicate_pair": "a guess about two people",
}
"""Tables that name a person by another column than `alumnus_id`."""
NOTES = {"audit_entry", "merge", "duplicate_pair", "alumnus_change", "person_touch"}
"""What a merge itself leaves."""


def test_every_table_that_names_a_person_names_them_by_one_column() -> None:
    wrong = [
        f"{table.name}.{key.parent.name}"
        for table in db.metadata.sorted_tables if table.name not in OTHERWISE
        for key in table.foreign_keys
        if key.column.table.name == "alumnus" and key.parent.name != PERSON
    ]  # fmt: skip
    assert wrong == []


@pytest.fixture
def two(session: Session, make: Make) -> tuple[int, int]:
    """The seeded person, and another of whom less is kept."""
    district = seed(make)
    session.flush()
    for table in followers():
        if session.execute(select(table).limit(1)).first() is None:
            session.execute(insert(table).values(invented(session, table, make.at)))
    return district.places["first_id"], district.places["second_id"]


def invented(session: Session, table: Table, at: datetime) -> dict[str, Any]:
    """A row of a table that the seeded district leaves empty: what its columns ask for, no more."""
    row: dict[str, Any] = {}
    for column in table.columns:
        key = next(iter(column.foreign_keys), None)
        if column.identity is not None or column.nullable:
            continue
        if key is not None:
            row[column.name] = session.scalar(select(key.column).limit(1))
        elif isinstance(column.type, Choice):
            words: Any = column.type.kind
            row[column.name] = next(iter(words))
        else:
            kind = getattr(column.type, "impl_instance", column.type).python_type
            made = {str: "x", int: 1, bool: False, datetime: at, dict: {}, UUID: uuid4()}
            row[column.name] = made.get(kind, at.date() if kind is date else None)
    return row


def picture(session: Session) -> dict[str, list[str]]:
    """Every row of every table, but for the notes of what was done."""
    found = {}
    for table in db.metadata.sorted_tables:
        if table.name in NOTES:
            continue
        names = [c.name for c in table.columns if c.name not in ("updated_at",)]
        rows = session.execute(select(*(table.c[name] for name in names)))
        found[table.name] = sorted(repr(tuple(row)) for row in rows)
    return found


def unique_names(table: Table) -> set[str]:
    """The columns in which a copied row must differ from its pattern."""
    rules = [set(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)]
    rules += [{c.name for c in index.columns} for index in table.indexes if index.unique]
    rules.append({c.name for c in table.primary_key})
    return {name for rule in rules for name in rule} - {PERSON}


def copied(session: Session, table: Table, alumnus_id: int, *, fresh: bool) -> None:
    """A row for the person like one that is there; with `fresh` unlike it where rules ask that."""
    pattern = session.execute(select(table).limit(1)).mappings().first()
    if pattern is None:
        return
    row: dict[str, Any] = {**pattern, PERSON: alumnus_id}
    keyed = {key.parent.name: key.column for key in table.foreign_keys}
    for name in unique_names(table):
        column = table.c[name]
        if column.identity is not None:
            row.pop(name, None)
        elif fresh and name not in keyed:
            row[name] = another(row[name])
        elif fresh:
            used = select(column).where(column.is_not(None))
            free = select(keyed[name]).where(keyed[name].not_in(used)).limit(1)
            row[name] = session.scalar(free) or row[name]
    try:
        with session.begin_nested():
            session.execute(insert(table).values(row))
    except IntegrityError:
        # The person has such a thing already, or it may be there only once.
        return


def another(value: Any) -> Any:
    """A value of the same kind that nobody has."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, UUID):
        return uuid4()
    if isinstance(value, str):
        return f"{value[:20]}{uuid4().hex[:8]}"
    if isinstance(value, int) and not isinstance(value, bool):
        return value + uuid4().int % 10**6
    return value


def test_a_row_of_every_table_follows_and_returns(
    session: Session, make: Make, two: tuple[int, int], now: datetime
) -> None:
    kept, gone = make.alumnus("Nobody", "Nothing").id, two[1]
    tables = list(followers())
    for table in tables:
        copied(session, table, gone, fresh=True)
    session.expire_all()
    before = picture(session)
    missing = [table.name for table in tables if not rows_of(session, table, gone)]
    assert missing == [], "no row of these could be made for the record that goes"
    done = merging.merge(session, kept, gone, at=now, by=SYSTEM)
    assert [table.name for table in tables if rows_of(session, table, gone)] == []
    merging.unmerge(session, done.id, at=now, by=SYSTEM)
    after = picture(session)
    assert {t: r for t, r in after.items() if r != before[t]} == {}


def rows_of(session: Session, table: Table, alumnus_id: int) -> int:
    """How many rows of a table are a person's."""
    statement = select(func.count()).select_from(table).where(table.c[PERSON] == alumnus_id)
    return session.scalar(statement) or 0


ROWS = st.lists(
    st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), min_size=5, max_size=40
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, st.booleans(), st.sets(st.sampled_from(sorted(merging.TAKEN)), max_size=4))
def test_any_merge_and_its_taking_back_leave_every_table_as_it_was(
    session: Session,
    two: tuple[int, int],
    now: datetime,
    rows: list[tuple[int, bool, bool]],
    turned: bool,
    take: set[str],
) -> None:
    kept, gone = reversed(two) if turned else two
    tables = list(followers())
    with session.begin_nested() as savepoint:
        for n, first, fresh in rows:
            copied(session, tables[n % len(tables)], kept if first else gone, fresh=fresh)
        session.expire_all()
        before = picture(session)
        done = merging.merge(session, kept, gone, at=now, by=SYSTEM, take=take)
        merging.unmerge(session, done.id, at=now, by=SYSTEM)
        after = picture(session)
        assert {t: r for t, r in after.items() if r != before[t]} == {}
        savepoint.rollback()
    session.expire_all()
