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
from crm.core import clock
from crm.core.database import db
from crm.core.embedded import EmbeddedServer
from crm.core.settings import Settings
from demo.names import COMMUNITIES
from wsgi import create_app

PEOPLE_PER_SCHOOL = 2_500
CLASSES = 45
MIX = 20_260_901


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
    """So many alumni with schoolings, own mail addresses, interests, interactions and standings.

    Every draw is a hash of the row's number, so that each run has the same district. Times count
    back from the present moment; the marks that the triggers leave are cleared.
    """
    _names(connection)
    given = {"schools": max(6, people // PEOPLE_PER_SCHOOL), "at": clock.now(), "people": people}
    given |= {"classes": CLASSES, "mix": MIX}
    for statement in STATEMENTS:
        connection.execute(text(statement), given)
    connection.execute(text("truncate alumnus_change"))


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
         updated_at)
       select given.name, '', family.name, '', '', '', given.key || ' ' || family.key,
         family.key || ' ' || given.key, d.year,
         case when make_date(d.year, 6, 1) <= :at then make_date(d.year, 6, 1) end,
         case when d.n % 6 = 0 then 'es' else 'en' end, 'City ' || d.n % 40, 'GA',
         case when d.n % 3 = 0 then 'Employer ' || d.n % 900 end,
         case when d.n % 4 = 0 then 'Job ' || d.n % 300 end,
         d.n % 100 = 7, d.n % 200 = 9, d.n % 150 = 11, '{{}}',  0, :at - interval '400 days',
         :at - interval '400 days'
       from drawn d join given on given.n = d.g join family on family.n = d.f""",
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
    f"""insert into interaction (alumnus_id, occurred_at, kind, mode, note, origin, machine,
         dedupe_key)
       select a.id,
         :at - make_interval(secs => ({_draw("when", "a.id * 8 + k.n")} % 94608000)::float),
         k.kind, k.mode, '', 'bench', false, 'bench:' || a.id || ':' || k.n
       from alumnus a cross join (values (1, 'link_clicked', 'communication'),
         (2, 'profile_updated', 'communication'), (3, 'replied', 'communication'),
         (4, 'event_attended', 'experiential'), (5, 'talk_given', 'volunteer'),
         (6, 'gift', 'philanthropic')) as k (n, kind, mode)
       where {_draw("kind", "a.id * 8 + k.n")} % 12 < 7 - k.n / 3
         and {_draw("active")} % 10 < 9""",
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
