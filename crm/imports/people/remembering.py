"""Lines known from the last file of the same columns, settled without reading them again.

A line is remembered when its file is applied and, alone, it says who it is about by an id and has
nothing more to say: the same line again changes nothing (law 10), as long as three things stay the
same. The line: its digest. All that decides what a line means besides: `rules_of`. The person: a
trigger notes in `person_touch` who touched what files are compared with, and in which transaction;
a touch that the remembering file could not see makes the line an unknown one. What is settled here
is what reading the line in full would have found, or it is not settled: see `is_apart`.
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import crm
from crm.imports.custom import kinds_of
from crm.imports.mapping import Plan
from crm.imports.people.changes import ids_of_lines
from crm.imports.people.schema import Schema
from crm.imports.people.seeing import Seen
from crm.imports.reader import Table
from crm.imports.staging import create_stage, try_lock_imports
from crm.imports.values import school_year_of
from crm.schools.queries import alias_table

SETTLED = "import_settled"
SETTLED_COLUMNS = {"line": "integer", "external_id": "text", "alumnus_id": "bigint"}
WORTH = 0.5
"""The share of lines that must be known for reading the file twice to be worth it."""
DECIDING = ("imports", "alumni/names.py", "alumni/contacts.py", "schools/aliases.py")
LIBRARIES = ("nameparser", "phonenumbers", "email-validator", "anyascii")
# A snapshot says nothing of the transaction that takes it.
UNSEEN = """case when t.xid = f.xid then t.id > f.last_touch
    else not pg_visible_in_snapshot(cast(cast(t.xid as text) as xid8),
        cast(f.snapshot as pg_snapshot)) end"""
TOUCHED = f"""select t.alumnus_id, f.id as file_id
    from person_touch t join remembered_file f on {UNSEEN}"""
"""Whom somebody touched, and which files have not seen it."""
IS_APART = """select not exists (
        select from import_match m join import_settled s on s.alumnus_id = m.person)
    and not exists (
        select from ({ids}) x join external_id e on e.system = x.system and e.value = x.value
        join alumnus a on a.id = e.alumnus_id
        join import_settled s on s.alumnus_id = coalesce(a.merged_into_id, a.id))
    and not exists (select from import_row r where r.fate is null and {no_id})"""


@dataclass(frozen=True)
class Memory:
    """What is remembered of files with the columns and rules of this one, and how to find it."""

    columns: str
    rules: str
    snapshot: str
    file_id: int | None = None
    school_domains: frozenset[str] = frozenset()


def recall(session: Session, table: Table, plan: Plan, today: date) -> Memory:
    """What is remembered of such files; call it before anything is compared."""
    columns = _digest([plan.layout.key, table.header, plan.as_json()["columns"]])
    rules = rules_of(session, plan, today)
    snapshot = current_snapshot(session)
    found = session.execute(
        text(
            "select id, school_domains from remembered_file "
            "where columns = :columns and rules = :rules"
        ),
        {"columns": columns, "rules": rules},
    ).one_or_none()
    if found is None:
        return Memory(columns, rules, snapshot)
    return Memory(columns, rules, snapshot, found.id, frozenset(found.school_domains))


def rules_of(session: Session, plan: Plan, today: date) -> str:
    """A digest of what decides what a line means, besides the line and the person it is about.

    Days count by their year and school year: a line of which a single day decided has a note, and
    is not remembered. Numbers of transactions mean nothing on another server.
    """
    words = session.execute(
        text("select key, label from way union all select key, label from subject order by 1, 2")
    )
    server = session.execute(
        text(
            """select s.system_identifier, d.oid from pg_control_system() s, pg_database d
            where d.datname = current_database()"""
        )
    ).one()
    return _digest(
        [
            plan.as_json(), sorted((*key, i) for key, i in alias_table(session).items()),
            [tuple(row) for row in words], kinds_of(session, plan), today.year,
            school_year_of(today),
            list(map(str, server)), _code(),
        ]
    )  # fmt: skip


@lru_cache(maxsize=1)
def _code() -> str:
    """A digest of the program that reads lines: a new release knows no line again."""
    root = Path(crm.__file__).parent
    files = [p for name in DECIDING for p in (root / name).rglob("*.py")]
    files += [root / name for name in DECIDING if name.endswith(".py")]
    return _digest(
        [[version(name) for name in LIBRARIES], *(p.read_text("utf-8") for p in sorted(files))]
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Known(Container[int]):
    """Lines settled already: all but the few that are named."""

    def __init__(self, others: set[int], faults: int) -> None:
        self.others = others
        self.all = not others and not faults

    def __contains__(self, line: object) -> bool:
        return line not in self.others


def settle(session: Session, memory: Memory, seen: Seen) -> Known | None:
    """Fill `import_settled` from the lines seen; None if too few of them are known."""
    create_stage(session, SETTLED, SETTLED_COLUMNS)
    done = session.execute(
        text(
            f"""insert into import_settled
            select s.line, l.external_id, l.alumnus_id
            from import_seen s join remembered_line l on l.digest = {seen.digest}
            where l.file_id = :file and not exists (
                select from ({TOUCHED}) t
                where t.alumnus_id = l.alumnus_id and t.file_id = :file)
            order by s.line"""
        ),
        {"file": memory.file_id},
    )
    count = done.rowcount - _take_out_repeated(session)  # type: ignore[attr-defined]
    if count < seen.lines * WORTH:
        create_stage(session, SETTLED, SETTLED_COLUMNS)
        return None
    if count == seen.lines:
        return Known(set(), seen.faults)
    session.execute(text("analyze import_settled"))
    others = session.scalars(
        text(
            f"""select line from import_seen s where {seen.told}
                and not exists (select from import_settled d where d.line = s.line)"""
        )
    )
    return Known(set(others), seen.faults)


def _take_out_repeated(session: Session) -> int:
    """Take out the lines that come twice in the file: what is said twice is read together.

    They are about the same person, of whom a file leaves one line at most. Answers how many.
    """
    twice = "select count(*) > count(distinct alumnus_id) from import_settled"
    if not session.scalar(text(twice)):
        return 0
    gone = session.execute(
        text(
            """delete from import_settled where alumnus_id in (
                select alumnus_id from import_settled group by alumnus_id having count(*) > 1)"""
        )
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]


def is_apart(session: Session, schema: Schema) -> bool:
    """Whether the lines that were read have nothing to do with those that were settled.

    A line about a person who is settled, or with an id of theirs, is read together with that
    person's; a line without an id is compared with every line of the file. Either way all of the
    file has to be read.
    """
    no_id = " and ".join(f"r.{schema.id_column(system)} is null" for system in schema.systems)
    ids = ids_of_lines(schema, "r.fate is null", "import_row r", "0")
    return bool(session.scalar(text(IS_APART.format(no_id=no_id, ids=ids))))


def remember(
    session: Session, schema: Schema, memory: Memory, domains: set[str], at: datetime, *,
    read: bool,
) -> None:  # fmt: skip
    """Keep what the next file of these columns may know again; call it last, under the lock.

    `read`: whether any line was, so that there is more to keep.
    """
    _forget_files(
        session, "columns = :columns and rules <> :rules",
        columns=memory.columns, rules=memory.rules,
    )  # fmt: skip
    file_id = session.scalar(
        text(
            """insert into remembered_file
                (columns, rules, school_domains, snapshot, xid, last_touch, at)
            values (:columns, :rules, :domains, :snapshot, 0, 0, :at)
            on conflict (columns) do update
                set school_domains = excluded.school_domains, at = excluded.at
            returning id"""
        ),
        {
            "columns": memory.columns, "rules": memory.rules, "snapshot": memory.snapshot,
            "domains": sorted(domains | memory.school_domains), "at": at,
        },
    )  # fmt: skip
    catch_up(session, memory.snapshot)
    if read:
        _remember_lines(session, schema, int(file_id or 0))


def _remember_lines(session: Session, schema: Schema, file_id: int) -> None:
    """Keep the lines that, alone, say who they are about and leave nothing to say."""
    ids = ", ".join(f"r.{schema.id_column(system)}" for system in schema.systems)
    plainly = f"""num_nonnulls({ids}) > 0 and r.note is null and r.digest is not null
        and r.opt_out is not true and r.suppress is not true"""
    columns = "alumnus_id, file_id, digest, external_id"
    kept = f":file, r.digest, r.{schema.id_column(schema.systems[0])}"
    for statement in (
        f"""insert into remembered_line ({columns})
            select n.id, {kept} from import_created n join import_row r using (line)
            where n.alone and {plainly}""",
        f"""insert into remembered_line ({columns})
            select m.person, {kept} from import_match m join import_row r using (line)
            where m.person > 0 and {plainly}
                and not exists (select from import_several s where s.person = m.person)
            on conflict (alumnus_id, file_id) do update
                set digest = excluded.digest, external_id = excluded.external_id""",
    ):
        session.execute(text(statement), {"file": file_id})


def _forget_files(session: Session, condition: str, **values: Any) -> None:
    """Forget the remembered files of which the condition is true, with their lines."""
    files = text(f"delete from remembered_file where {condition} returning id")
    if gone := session.scalars(files, values).all():
        lines = text("delete from remembered_line where file_id = any(:gone)")
        session.execute(lines, {"gone": gone})


def catch_up(session: Session, snapshot: str) -> None:
    """Forget the lines of people who were touched; then every file has seen what this one has.

    `snapshot` is an earlier one of this transaction, which holds the lock of imports: a file that
    is being compared has not said yet what it has seen.
    """
    session.execute(
        text(
            f"""delete from remembered_line l using (select distinct * from ({TOUCHED}) t) t
            where l.alumnus_id = t.alumnus_id and l.file_id = t.file_id"""
        )
    )
    session.execute(
        text(
            """update remembered_file set snapshot = :snapshot,
                xid = cast(cast(pg_current_xact_id() as text) as bigint),
                last_touch = (select coalesce(max(id), 0) from person_touch)"""
        ),
        {"snapshot": snapshot},
    )
    session.execute(
        text(
            f"""delete from person_touch t
            where not exists (select from remembered_file f where {UNSEEN})"""
        )
    )


def tidy_memory(session: Session, oldest: datetime) -> None:
    """Forget files from before `oldest`, and touches that every file has seen."""
    if not try_lock_imports(session):
        return
    _forget_files(session, "at < :oldest", oldest=oldest)
    catch_up(session, current_snapshot(session))


def current_snapshot(session: Session) -> str:
    """Which transactions a statement sees now."""
    return str(session.scalar(text("select cast(pg_current_snapshot() as text)")))
