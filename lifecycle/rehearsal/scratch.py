"""A copy of the district that only one connection sees, and that the server takes away again.

The copies are temporary tables under the names of the real ones, so that the engine's own code,
given a session on this connection, reads and writes them. Once they are filled, the connection is
read-only: PostgreSQL itself refuses every write to a real table, and drops the copies when the
connection ends, whatever ended it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from flask_sqlalchemy.session import Session as BoundSession
from sqlalchemy import Connection, text

from crm.core.database import APART, db
from crm.mail.facts import BUDGETED
from crm.mail.policy import LONGEST

PERSONAL = {
    "alumnus": "id", "contact_point": "alumnus_id", "interaction": "alumnus_id",
    "interest": "alumnus_id", "consent_entry": "alumnus_id", "standing": "alumnus_id",
    "enrollment": "alumnus_id", "event_invitation": "alumnus_id",
    "ask": "alumnus_id",
}  # fmt: skip
"""Tables that a tick or a reader's answer writes, with the column that names the person."""
WHOLE = (
    "journey", "journey_version", "campaign", "continuum_edition", "content", "content_version",
    "content_variant", "event",
)  # fmt: skip
EMPTY = (
    "alumnus_change", "standing_move", "step_run", "send_attempt", "delivery_event",
    "message_attachment", "audit_entry",
)  # fmt: skip
LOOKED_UP = ("interaction", "interest")
"""Long tables of which a tick only asks by person: other indices are made where a query looks."""
HANGS_ON = ("enrollment", "journey")
"""Whatever else refers to these is copied too: what a new kind of step writes, for example."""
BUFFERS = "set temp_buffers = '384MB'; set work_mem = '64MB'; set random_page_cost = 1.1"
"""The copies lie in memory, where a page out of turn costs what the next one does."""

TWIN = """create temp table {table}
    (like public.{table} including defaults including identity including generated
     including constraints)"""
OPTIONS = """select array_to_string(reloptions, ', ') from pg_class
    where oid = cast(:table as regclass) and reloptions is not null"""
COLUMNS = """select attname, attidentity <> '' from pg_attribute
    where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
      and attgenerated = '' order by attnum"""
LAST = """select coalesce(pg_sequence_last_value(cast(
    pg_get_serial_sequence(:table, :column) as regclass)), 0)"""
INDICES = """select pg_get_indexdef(i.indexrelid), c.relname,
      exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype = 'p'),
      i.indisunique, pg_get_indexdef(i.indexrelid, 1, false)
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
    where i.indrelid = cast(:table as regclass) and (m.amname = 'btree' or i.indisunique)"""
TRIGGERS = """select pg_get_triggerdef(oid) from pg_trigger
    where tgrelid = cast(:table as regclass) and not tgisinternal and tgname like '%\\_noted'"""
STRATA = """insert into rehearsed (id)
    select id from (
      select a.id, row_number() over (partition by s.phase, s.stage
                                      order by hashint8extended(a.id, :seed), a.id) as place,
        count(*) over (partition by s.phase, s.stage) as many
      from public.alumnus a left join public.standing s on s.alumnus_id = a.id
      where a.merged_into_id is null) known
    where place <= ceil(many * cast(:share as float))"""
EVERYBODY = "insert into rehearsed (id) select id from public.alumnus where merged_into_id is null"
THEIRS = "alumnus_id in (select id from rehearsed)"
HISTORIES = {
    "standing_move": THEIRS,
    "step_run": "enrollment_id in (select id from pg_temp.enrollment)",
}
"""What is copied only where a query looks at it."""
MESSAGES = f"""{THEIRS} and (state = 'queued' or
    (message_class = any(:classes) and coalesce(accepted_at, claimed_at) > :since))"""


@dataclass(frozen=True)
class Sample:
    """Who takes part: so many `people` of `population`, drawn with a seed from each stratum."""

    people: int
    population: int
    seed: int

    @property
    def weight(self) -> float:
        """How many people of the district one person of the sample stands for."""
        return self.population / self.people if self.people else 1.0


class ScratchSession(BoundSession):
    """A session that knows one connection only."""

    connected: Connection

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """The scratch connection, whatever is asked for."""
        return self.connected


@contextmanager
def scratch(
    app: Flask, *, people: int | None, seed: int, at: datetime, read: frozenset[str]
) -> Iterator[Sample]:
    """An app context whose session sees a copy of so many people (all for None), and nothing else.

    Everything is gone afterwards.
    """
    with app.app_context():
        connection = db.engine.connect()
        connection.detach()
        try:
            with connection.begin():
                sample = _fill(connection, people, seed=seed, at=at, read=read)
            _analyze(connection)
            with connection.begin():
                connection.execute(text("set session characteristics as transaction read only"))
            session = ScratchSession(db, expire_on_commit=False)
            session.connected = connection
            session.info[APART] = _pid(connection) << 32
            db.session.registry.set(session)
            yield sample
        finally:
            db.session.remove()
            connection.close()


def _pid(connection: Connection) -> int:
    """The number of the server's process, which no other connection has now."""
    with connection.begin():
        return int(connection.exec_driver_sql("select pg_backend_pid()").scalar_one())


def _fill(
    connection: Connection, people: int | None, *, seed: int, at: datetime, read: frozenset[str]
) -> Sample:
    def run(statement: str, **values: Any) -> Any:
        return connection.execute(text(statement), values)

    run("set transaction isolation level repeatable read")
    for statement in BUFFERS.split(";"):
        run(statement)
    population = run("select count(*) from alumnus where merged_into_id is null").scalar_one()
    run("create temp table rehearsed (id bigint primary key)")
    if people is None or people >= population:
        run(EVERYBODY)
    else:
        run(STRATA, seed=seed, share=people / population)
    run("analyze rehearsed")
    taking = run("select count(*) from rehearsed").scalar_one()
    for table, where, values in _contents(at, read=read):
        _twin(connection, table, where, values, by_person=table in LOOKED_UP and table not in read)
    return Sample(taking, population, seed)


def _contents(
    at: datetime, *, read: frozenset[str]
) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Each table to copy, which rows of it (None for none), and the values of that condition."""
    for table, column in PERSONAL.items():
        yield table, f"{column} in (select id from rehearsed)", {}
    for table in WHOLE:
        yield table, "true", {}
    for table in EMPTY:
        yield table, HISTORIES.get(table) if table in read else None, {}
    yield "suppression", "true", {}
    if "message" in read:
        yield "message", THEIRS, {}
    else:
        told = {"classes": [kind.value for kind in BUDGETED], "since": at - LONGEST}
        yield "message", MESSAGES, told
    known = {*PERSONAL, *WHOLE, *EMPTY, "suppression", "message"}
    for table in _hanging(known):
        yield table, "true", {}


def _hanging(known: set[str]) -> Sequence[str]:
    """Tables besides the known ones with a foreign key to an enrollment or a journey."""
    return [
        table.name
        for table in db.metadata.sorted_tables
        if table.name not in known
        and any(key.column.table.name in HANGS_ON for key in table.foreign_keys)
    ]


def _twin(
    connection: Connection, table: str, where: str | None, values: dict[str, Any], *,
    by_person: bool,
) -> None:  # fmt: skip
    """A temporary table of the same shape, filled, then indexed, then with its change triggers."""

    def run(statement: str, **given: Any) -> Any:
        return connection.execute(text(statement), given)

    real = f"public.{table}"
    columns = [(name, counted) for name, counted in run(COLUMNS, table=real)]
    indices = run(INDICES, table=real).all()
    triggers = list(run(TRIGGERS, table=real).scalars())
    options = run(OPTIONS, table=real).scalar()
    run(TWIN.format(table=table) + (f" with ({options})" if options else ""))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    if where is not None:
        connection.execute(
            text(
                f"insert into pg_temp.{table} ({names}) overriding system value "
                f"select {names} from {real} where {where}"
            ),
            values,
        )
    for definition, name, primary, unique, first in indices:
        if by_person and not unique and first != PERSONAL[table]:
            continue
        here = definition.replace(" ON ONLY ", " ON ", 1)  # of a table kept by months
        connection.exec_driver_sql(here.replace(f" ON {real} ", f" ON pg_temp.{table} ", 1))
        if primary:
            run(f'alter table pg_temp.{table} add primary key using index "{name}"')
    for name, counted in columns:
        if counted:
            last = run(LAST, table=real, column=name).scalar_one()
            run(f'alter table pg_temp.{table} alter "{name}" restart with {last + 1}')
    for definition in triggers:
        connection.exec_driver_sql(definition.replace(f" ON {real} ", f" ON pg_temp.{table} ", 1))


def _analyze(connection: Connection) -> None:
    """What the planner knows of the copies; nobody else ever looks after temporary tables."""
    with connection.begin():
        for table in (*PERSONAL, *WHOLE, *EMPTY, "message"):
            connection.exec_driver_sql(f"analyze pg_temp.{table}")


def tend(session: Any) -> None:
    """Vacuum and analyse what the days have worn most; the session stands between transactions."""
    session.commit()
    raw = session.connected.connection.dbapi_connection
    raw.autocommit = True
    try:
        for table in ("enrollment", "message", "standing", "alumnus_change", "interaction"):
            raw.execute(f"vacuum (analyze) pg_temp.{table}")
    finally:
        raw.autocommit = False
