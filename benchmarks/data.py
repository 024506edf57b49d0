"""A throw-away database of a district that is filled by a few set-based statements."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url

from crm.alumni.names import fold
from crm.alumni.near import zips_within
from crm.core import clock
from crm.core.database import db
from crm.core.embedded import EmbeddedServer
from crm.core.settings import Settings
from demo.names import COMMUNITIES
from wsgi import create_app

PEOPLE_PER_SCHOOL = 2_500
CLASSES = 45
MIX = 20_260_901
ZIP = "30303"


@contextmanager
def server_url() -> Iterator[URL]:
    """The server named by HOMECOMING_TEST_DATABASE_URL, or an embedded one that goes afterwards."""
    named = os.environ.get("HOMECOMING_TEST_DATABASE_URL")
    if named:
        yield make_url(named).set(drivername="postgresql+psycopg")
        return
    with tempfile.TemporaryDirectory(prefix="homecoming-") as folder:
        server = EmbeddedServer(Path(folder))
        server.acquire()
        try:
            yield make_url(server.url)
        finally:
            server.release()


@contextmanager
def empty_app(**changes: object) -> Iterator[Flask]:
    """The application on a new migrated database, in its context; dropped afterwards.

    `changes` are settings, such as where mail goes.
    """
    name = f"homecoming_bench_{uuid4().hex[:12]}"
    with server_url() as server, tempfile.TemporaryDirectory(prefix="homecoming-") as folder:
        _on(server, f"create database {name}")
        try:
            app = create_app(_settings(server.set(database=name), Path(folder), changes))
            app.config.update(WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=True)
            with app.app_context():
                try:
                    upgrade()
                    yield app
                finally:
                    db.session.remove()
                    db.engine.dispose()
        finally:
            _on(server, f"drop database if exists {name} with (force)")


@contextmanager
def filled_app(people: int, **changes: object) -> Iterator[Flask]:
    """`empty_app` with a district of so many people in it, analysed, nothing left to derive."""
    with empty_app(**changes) as app:
        with db.engine.begin() as connection:
            fill(connection, people)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum (analyze)"))
        yield app


def fill(connection: Connection, people: int) -> None:
    """So many alumni with all that is known of them, and ten interactions for each of them.

    One in ten has none and one in ten has 32; they lie in the order of time, as they would come.
    Every draw is a hash of the row's number, so that each run has the same district. Times count
    back from the present moment; the marks that the triggers leave are cleared.
    """
    _names(connection)
    given = {"schools": max(6, people // PEOPLE_PER_SCHOOL), "at": clock.now(), "people": people}
    given |= {"classes": CLASSES, "mix": MIX, "zips": list(zips_within(ZIP, 30))}
    for statement in STATEMENTS:
        connection.execute(text(statement), given)
    with _bare(connection, "interaction"):
        connection.execute(text(INTERACTIONS), given)
    connection.execute(text("truncate alumnus_change"))


@contextmanager
def _bare(connection: Connection, table: str) -> Iterator[None]:
    """The table without keys, indices and triggers, which are put back afterwards, each at once."""

    def on_table(statement: str) -> None:
        connection.execute(text(f"alter table {table} {statement}"))

    keys = connection.execute(text(KEYS), {"table": table}).all()
    on_table("disable trigger user")
    for key in keys:
        on_table(f"drop constraint {key.name}")
    indices = connection.execute(text(INDICES), {"table": table}).all()
    for index in indices:
        connection.execute(text(f"drop index {index.name}"))
    yield
    for index in indices:
        connection.execute(text(index.made))
    for key in keys:
        on_table(f"add constraint {key.name} {key.made}")
    on_table("enable trigger user")


def _names(connection: Connection) -> None:
    """Given and family names with the search words that Python makes of them."""
    for kind in ("given", "family"):
        pool = sorted({name for c in COMMUNITIES for name in getattr(c, kind)})
        connection.execute(
            text(
                f"create temp table {kind} (n int primary key, name text, key text) on commit drop"
            )
        )
        rows = [{"n": n, "name": name, "key": fold(name)} for n, name in enumerate(pool)]
        connection.execute(text(f"insert into {kind} values (:n, :name, :key)"), rows)


def _settings(url: URL, instance: Path, changes: dict[str, object]) -> Settings:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    values = {
        "database_url": address, "instance": instance, "secret_key": "only-for-measuring-012345",
        "log": "quiet", "base_url": "http://localhost",
    }  # fmt: skip
    return Settings.model_validate({**values, **changes})


def _on(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _draw(salt: str, row: str = "a.id") -> str:
    """SQL for a whole number from 0 on, drawn by a row's number: even and repeatable."""
    mixed = f"{row}::bigint * 1000003 + :mix + {sum(map(ord, salt))}"
    return f"(hashint8({mixed})::bigint + 2147483648)"


KEYS = """select conname as name, pg_get_constraintdef(oid) as made from pg_constraint
  where conrelid = cast(:table as regclass) and contype in ('f', 'p', 'u')"""
INDICES = """select indexname as name, indexdef as made from pg_indexes
  where schemaname = 'public' and tablename = :table"""
STATEMENTS = (
    """insert into cluster (name) select 'Cluster ' || n
       from generate_series(1, greatest(1, :schools / 6)) n""",
    """insert into school (nces_id, name, level, status, cluster_id, time_zone, created_at)
       select '13' || lpad(n::text, 10, '0'),
              'School ' || n || case when n % 3 = 1 then ' High' else ' Middle' end,
              case when n % 3 = 1 then 'high' else 'middle' end, 'open',
              (select min(id) from cluster) + n % greatest(1, :schools / 6),
              'America/New_York', :at
       from generate_series(1, :schools) n""",
    """insert into school_alias (school_id, kind, key)
       select id, 'name', lower(name) from school""",
    f"""with drawn as materialized (
          select n, {_draw("given", "n")} % (select count(*) from given) as g,
                 {_draw("family", "n")} % (select count(*) from family) as f,
                 extract(year from cast(:at as timestamptz))::int + 1
                   - ({_draw("class", "n")} % :classes)::int as year
          from generate_series(1, :people) n)
       insert into alumnus (given_name, middle_name, family_name, suffix, preferred_name,
         former_name, name_key, sort_key, class_year, graduated_on, language, city, state, employer,
         job_title, ferpa_block, deceased, do_not_contact, custom, link_epoch, created_at,
         updated_at, postal_code, field_of_work, college)
       select given.name, '', family.name, '', '', '', given.key || ' ' || family.key,
         family.key || ' ' || given.key, d.year,
         case when make_date(d.year, 6, 1) <= :at then make_date(d.year, 6, 1) end,
         case when d.n % 6 = 0 then 'es' else 'en' end, 'City ' || d.n % 40, 'GA',
         case when d.n % 3 = 0 then 'Employer ' || d.n % 900 end,
         case when d.n % 4 = 0 then 'Job ' || d.n % 300 end,
         d.n % 100 = 7, d.n % 200 = 9, d.n % 150 = 11, '{{}}', 0, :at - interval '400 days',
         :at - interval '400 days', zip.code,
         case when d.n % 3 = 0 then (array['Health care', 'Business', 'Skilled trades',
           'Technology', 'Education', 'Law and government'])[1 + d.n / 3 % 6] end,
         case when d.n % 5 = 0 then 'College ' || d.n / 5 % 60 end
       from drawn d join given on given.n = d.g join family on family.n = d.f
         join unnest(cast(:zips as text[])) with ordinality zip (code, n)
           on zip.n = 1 + d.n % cardinality(cast(:zips as text[]))""",
    f"""insert into schooling (alumnus_id, school_id, class_year, status)
       select a.id, (select min(id) from school) + {_draw("school")} % :schools, a.class_year,
              case when a.graduated_on is null then 'enrolled' else 'graduated' end
       from alumnus a""",
    """insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred, source,
         created_at, updated_at)
       select a.id, 'email', 'p' || a.id || '@mail.example', 'p' || a.id || '@mail.example', 'own',
              'ok', true, '', a.created_at, a.created_at from alumnus a where a.id % 10 <> 0""",
    """insert into external_id (alumnus_id, system, value)
       select a.id, 'sis', lpad(a.id::text, 9, '0') from alumnus a""",
    f"""insert into interest (alumnus_id, kind, key, source, since)
       select a.id, 'way', w.key, '', a.created_at
       from alumnus a join (select key, row_number() over (order by key) as n from way) w
         on {_draw("way")} % 3 = 0 and ({_draw("which")} % 9 = w.n or {_draw("two")} % 9 = w.n)""",
    f"""insert into interest (alumnus_id, kind, key, source, since)
       select a.id, 'subject', s.key, '', a.created_at
       from alumnus a join (select key, row_number() over (order by key) as n from subject) s
         on {_draw("topic")} % 20 = s.n""",
    f"""insert into standing (alumnus_id, phase, phase_since, stage, stage_since)
       select a.id, case when a.graduated_on is null then 'senior'
           when a.graduated_on > :at - interval '1 year' then 'new_graduate'
           when a.graduated_on > :at - interval '5 years' then 'early'
           when a.graduated_on > :at - interval '15 years' then 'building'
           when a.graduated_on > :at - interval '30 years' then 'established' else 'legacy' end,
         :at - interval '1 day',
         (array['quiet','quiet','quiet','quiet','aware','aware','aware','connected','connected',
                'involved','involved','leading'])[1 + {_draw("stage")} % 12],
         :at - interval '1 day' from alumnus a""",
)
INTERACTIONS = f"""insert into interaction (alumnus_id, occurred_at, kind, mode, school_id, hours,
         amount, note, origin, machine, dedupe_key)
       select d.id, d.at, k.kind, k.mode,
         case when k.mode in ('volunteer', 'experiential')
           then (select min(id) from school) + {_draw("place", "d.row")} % :schools end,
         case when k.mode = 'volunteer' then 1 + {_draw("hours", "d.row")} % 5 end,
         case when k.kind = 'gift' then 10 + {_draw("gift", "d.row")} % 490 end, '', 'bench',
         k.kind = 'link_clicked' and {_draw("machine", "d.row")} % 20 = 0, 'bench:' || d.row
       from (select a.id, a.id * 64 + n as row, :at - make_interval(
               secs => ({_draw("when", "a.id * 64 + n")} % 94608000)::float) as at
             from alumnus a, generate_series(1,
               (array[0, 2, 3, 4, 6, 8, 11, 14, 20, 32])[1 + {_draw("active")} % 10]) n) d
         join (values ('link_clicked', 'communication', 0, 17),
           ('profile_updated', 'communication', 18, 23), ('replied', 'communication', 24, 28),
           ('ask_answered', 'communication', 29, 30), ('event_attended', 'experiential', 31, 35),
           ('gift', 'philanthropic', 36, 36), ('talk_given', 'volunteer', 37, 37),
           ('mentoring', 'volunteer', 38, 38), ('help_given', 'volunteer', 39, 39))
           as k (kind, mode, first, last)
           on {_draw("kind", "d.row")} % 40 between k.first and k.last
       order by d.at"""
