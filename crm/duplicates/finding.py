"""Finds pairs that may be one person: candidates in sets, then a score for each.

Candidates share an own address, a birth date with a part of the name, or the whole name. A value
that more than `CROWD` people share (an office's telephone) says nothing and is passed by.
"""

# The only values written into SQL here are numbers of our own.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.alumni.names import words
from crm.duplicates.models import DuplicatePair, PairState
from crm.duplicates.scoring import Record, compare

THRESHOLD = 0.8
CROWD = 20
BATCH = 5_000
CANDIDATES = f"""
create temporary table candidate_pair on commit drop as
with shared as (
    select c.alumnus_id, c.kind || ':' || c.key as value from contact_point c
        where c.owner = 'own' and c.kind in ('email', 'phone')
    union all select id, 'f:' || birth_date || lower(family_name) from alumnus
        where birth_date is not null and family_name <> ''
    union all select id, 'g:' || birth_date || lower(given_name) from alumnus
        where birth_date is not null and given_name <> ''
    union all select id, 'n:' || sort_key from alumnus where sort_key like '% %'
), few as (
    select value from shared join alumnus a on a.id = alumnus_id and a.merged_into_id is null
    group by value having count(*) between 2 and {CROWD}
), kept as (
    select s.alumnus_id, s.value from shared s join few using (value)
        join alumnus a on a.id = s.alumnus_id and a.merged_into_id is null
)
select distinct x.alumnus_id as first_id, y.alumnus_id as second_id
from kept x join kept y using (value)
where x.alumnus_id < y.alumnus_id and not exists (
    select from duplicate_pair p where p.first_id = x.alumnus_id
        and p.second_id = y.alumnus_id and p.state <> 'open')
"""
RECORDS = """
select a.id, a.given_name, a.preferred_name, a.family_name, a.former_name, a.birth_date,
    a.class_year,
    array(select c.key from contact_point c where c.alumnus_id = a.id and c.kind = 'email'
        and c.owner = 'own') as emails,
    array(select c.key from contact_point c where c.alumnus_id = a.id and c.kind = 'phone'
        and c.owner = 'own') as phones,
    array(select s.school_id from schooling s where s.alumnus_id = a.id) as schools,
    array(select e.system || ':' || e.value from external_id e where e.alumnus_id = a.id) as ids
from alumnus a where a.id = any(:ids)
"""


def find_duplicates(session: Session, *, at: datetime, threshold: float = THRESHOLD) -> int:
    """Look through everybody; answers how many pairs are open afterwards.

    Pairs that somebody decided stay as decided; open ones that are likely no more are dropped.
    """
    session.execute(text("set local work_mem = '96MB'"))
    session.execute(text("drop table if exists pg_temp.candidate_pair"))
    session.execute(text(CANDIDATES))
    session.execute(text("create index on candidate_pair (first_id, second_id)"))
    session.execute(text("delete from duplicate_pair where state = 'open'"))
    found = 0
    for pairs in _batches(session):
        records = _records(session, {i for pair in pairs for i in pair})
        rows = [row for pair in pairs if (row := _row(pair, records, threshold, at))]
        if rows:
            session.execute(insert(DuplicatePair).on_conflict_do_nothing(), rows)
        found += len(rows)
    return found


def _batches(session: Session) -> Iterator[Sequence[tuple[int, int]]]:
    last = (0, 0)
    statement = text(
        f"""select first_id, second_id from candidate_pair
        where (first_id, second_id) > (:first, :second) order by 1, 2 limit {BATCH}"""
    )
    while True:
        rows = session.execute(statement, {"first": last[0], "second": last[1]}).all()
        if not rows:
            return
        yield [(row.first_id, row.second_id) for row in rows]
        last = (rows[-1].first_id, rows[-1].second_id)


def _records(session: Session, ids: set[int]) -> dict[int, Record]:
    return {row.id: _record(row) for row in session.execute(text(RECORDS), {"ids": sorted(ids)})}


def _record(row: Any) -> Record:
    return Record(
        id=row.id,
        given=frozenset(words(f"{row.given_name} {row.preferred_name}")),
        family=frozenset(words(f"{row.family_name} {row.former_name}")),
        birth_date=row.birth_date, class_year=row.class_year, emails=frozenset(row.emails),
        phones=frozenset(row.phones), schools=frozenset(row.schools),
        ids=frozenset(tuple(i.split(":", 1)) for i in row.ids),
    )  # fmt: skip


def _row(
    pair: tuple[int, int], records: dict[int, Record], threshold: float, at: datetime
) -> dict[str, Any] | None:
    probability, reasons = compare(records[pair[0]], records[pair[1]])
    if probability < threshold:
        return None
    return {
        "first_id": pair[0], "second_id": pair[1], "probability": round(probability, 4),
        "reasons": reasons, "state": PairState.OPEN, "found_at": at,
    }  # fmt: skip
