"""Writes what matching and comparing found.

Everything in sets and in the caller's transaction, so that nothing is ever half applied.
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, String, column, select, table, text
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.alumni.names import Named, name_key, sort_key
from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.service import suppress, withdraw_many
from crm.imports.people.changes import (
    FACTS,
    FLAGS,
    INFERRED,
    TOLD,
    contacts_of_lines,
    ids_of_lines,
    interests_of,
)
from crm.imports.people.rows import NAMES
from crm.imports.people.schema import Schema
from crm.imports.staging import drop_stages

BATCH = 5_000
REFUSED = table("import_refused", column("id", BigInteger), column("place", String))
ALONE = "import_created n join import_row r using (line)"
"""The lines of new people who have one."""
SEVERAL = "import_created n join import_match m using (person) join import_row r on r.line = m.line"
"""The lines of new people with all of theirs."""


def write_people(
    session: Session, schema: Schema, *, source: str, filename: str, at: datetime
) -> None:
    """Write every create and update; `source` names the import in what it leaves behind."""
    values: dict[str, Any] = {"at": at, "source": source, "today": at.date()}
    drop_stages(session, ["import_created", "import_refused"])
    sequence = session.scalar(text("select pg_get_serial_sequence('alumnus', 'id')"))
    session.execute(
        text(
            f"""create temporary table import_created on commit drop as
            select person, -person as line, nextval('{sequence}') as id, not exists (
                select from import_several s where s.person = pending.person) as alone
            from (
                select distinct person from import_match where person < 0 order by person desc
            ) pending"""
        )
    )
    session.execute(text("analyze import_created"))
    _insert_newcomers(session, schema, values)
    _update_people(session, values)
    _insert_news(session, values)
    prefer_first(
        session,
        """select n.id from import_created n join import_several using (person)
        union select person from import_new_contact""",
    )
    changed = " or ".join(f"c.changes ? '{name}'" for name in NAMES)
    rename(
        session,
        f"""select c.person from import_changed c where {changed}
        union select n.id from import_created n join import_several using (person)""",
    )
    _refuse(session, source=source, filename=filename, at=at)


def _insert_newcomers(session: Session, schema: Schema, values: dict[str, Any]) -> None:
    """Insert the new people whole, and mark each once for whoever derives from them."""
    session.execute(text("set local homecoming.newcomers = 'yes'"))
    _insert_people(session, values)
    _insert_facts(session, schema, values)
    session.execute(text("set local homecoming.newcomers = 'no'"))
    session.execute(text("insert into alumnus_change (alumnus_id) select id from import_created"))


def _insert_people(session: Session, values: dict[str, Any]) -> None:
    texts = ("given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name")
    blank = {name: f"coalesce(r.{name}, '')" for name in (*texts, "name_key", "sort_key")}
    plain = {name: f"r.{name}" for name in (*FACTS, *TOLD) if name not in blank}
    flags = {name: f"coalesce(r.{name}, false)" for name in FLAGS}
    columns = {
        **plain, **blank, **flags, "language": "coalesce(r.language, 'en')",
        "custom": "coalesce(r.custom, '{}'::jsonb)", "link_epoch": "0", "created_at": ":at",
        "made_by": ":source", "made_line": "n.line",
        "updated_at": ":at",
    }  # fmt: skip
    # Most new people have one line: it is taken as it stands.
    for source in (
        f"{ALONE} where n.alone",
        "import_merged r join import_created n using (person)",
    ):
        session.execute(
            text(
                f"""insert into alumnus (id, {", ".join(columns)})
                select n.id, {", ".join(columns.values())} from {source}"""
            ),
            values,
        )


def _insert_facts(session: Session, schema: Schema, values: dict[str, Any]) -> None:
    """Ids, schoolings, addresses and interests of the new people."""
    for source in (
        "import_created n join import_row s using (line) where n.alone and s.school_id is not null",
        "import_merged_schooling s join import_created n using (person)",
    ):
        session.execute(
            text(
                f"""insert into schooling
                    (alumnus_id, school_id, class_year, status, left_on, credential)
                select n.id, s.school_id, s.class_year, {INFERRED}, s.left_on, s.credential
                from {source}"""
            ),
            values,
        )
    # A line alone repeats nothing (see `Contacts`); only people of several lines may.
    for lines, condition, repeated in (
        (ALONE, "n.alone", ""), (SEVERAL, "not n.alone", "on conflict do nothing"),
    ):  # fmt: skip
        _insert_ids(session, ids_of_lines(schema, condition, lines, "n.id"), repeated)
        found = contacts_of_lines(schema, condition, lines, "n.id")
        _insert_contacts(session, found, repeated, values)
    session.execute(
        text(
            f"""insert into interest (alumnus_id, kind, key, source, since)
            select n.id, x.kind, x.key, :source, :at from ({interests_of("p.person < 0")}) x
            join import_created n using (person) on conflict do nothing"""
        ),
        values,
    )


def _insert_ids(session: Session, found: str, repeated: str) -> None:
    session.execute(text(f"insert into external_id (alumnus_id, system, value) {found} {repeated}"))


def _insert_contacts(session: Session, found: str, repeated: str, values: dict[str, Any]) -> None:
    preferred = "false" if repeated else "x.first"
    session.execute(
        text(
            f"""insert into contact_point
                (alumnus_id, kind, value, key, owner, status, preferred, source, created_at,
                 updated_at)
            select x.person, x.kind, x.value, x.key, x.owner, 'ok', {preferred}, :source, :at, :at
            from ({found}) x {repeated}"""
        ),
        values,
    )


def _update_people(session: Session, values: dict[str, Any]) -> None:
    """Take over the fields that changed; flags are only ever set."""
    after = {name: f"c.changes -> '{name}' ->> 1" for name in (*FACTS, *TOLD)}
    settings = [
        f"{name} = coalesce(cast({value} as {FACTS.get(name, 'text')}), a.{name})"
        for name, value in after.items()
    ]
    settings += [f"{name} = a.{name} or c.changes ? '{name}'" for name in FLAGS]
    session.execute(
        text(
            f"""update alumnus a set {", ".join(settings)}, updated_at = :at,
                custom = a.custom || coalesce(c.changes -> 'custom' -> 1, '{{}}'::jsonb)
            from import_changed c where a.id = c.person"""
        ),
        values,
    )


def _insert_news(session: Session, values: dict[str, Any]) -> None:
    """What people we knew before get besides changed fields."""
    session.execute(
        text(
            """insert into external_id (alumnus_id, system, value)
            select person, system, value from import_new_id on conflict do nothing"""
        )
    )
    _change_schoolings(session)
    session.execute(
        text(
            """insert into contact_point
                (alumnus_id, kind, value, key, owner, status, preferred, source, created_at,
                 updated_at)
            select person, kind, value, key, owner, 'ok', false, :source, :at, :at
            from import_new_contact on conflict do nothing"""
        ),
        values,
    )
    session.execute(
        text(
            """insert into interest (alumnus_id, kind, key, source, since)
            select person, kind, key, :source, :at from import_new_interest
            on conflict do nothing"""
        ),
        values,
    )


def _change_schoolings(session: Session) -> None:
    session.execute(
        text(
            """insert into schooling
                (alumnus_id, school_id, class_year, status, left_on, credential)
            select person, school_id, class_year, status, left_on, credential
            from import_new_schooling where old is null on conflict do nothing"""
        )
    )
    session.execute(
        text(
            """update schooling s set class_year = coalesce(n.class_year, s.class_year),
                status = coalesce(n.status, s.status), left_on = coalesce(n.left_on, s.left_on),
                credential = coalesce(n.credential, s.credential)
            from import_new_schooling n where s.id = n.old"""
        )
    )


def prefer_first(session: Session, people: str) -> None:
    """Let each of `people` (SELECT of ids) without an address to use take the first that works."""
    session.execute(
        text(
            f"""with touched(id) as ({people}), first as (
                select distinct on (c.alumnus_id, c.kind) c.id
                from contact_point c join touched t on t.id = c.alumnus_id
                where c.owner = 'own' and c.status = 'ok' and not exists (
                    select from contact_point o
                    where o.alumnus_id = c.alumnus_id and o.kind = c.kind and o.preferred)
                order by c.alumnus_id, c.kind, c.id
            )
            update contact_point c set preferred = true from first where first.id = c.id"""
        )
    )


def rename(session: Session, people: str) -> None:
    """Make the search forms of `people` (SELECT of ids) anew."""
    names = ", ".join(NAMES)
    statement = text(
        f"""select a.id, {names} from alumnus a where a.id > :last and a.id in ({people})
        order by a.id limit {BATCH}"""
    )
    update = text("update alumnus set name_key = :name_key, sort_key = :sort_key where id = :id")
    last = 0
    while rows := session.execute(statement, {"last": last}).all():
        named = [(row.id, cast("Named", row)) for row in rows]
        keys = [
            {"id": i, "name_key": name_key(person), "sort_key": sort_key(person)}
            for i, person in named
        ]
        session.execute(update, keys)
        last = rows[-1].id


def _refuse(session: Session, *, source: str, filename: str, at: datetime) -> None:
    """Write what the file says of people who want no mail; a file only ever tightens.

    The ledger names the file and the line.
    """
    session.execute(
        text(
            """create temporary table import_refused on commit drop as
            select coalesce(n.id, w.person) as id, :filename || ', line ' || w.line as place
            from import_withdrawal w left join import_created n using (person)"""
        ),
        {"filename": filename},
    )
    place = select(REFUSED.c.place).where(REFUSED.c.id == Alumnus.id).scalar_subquery()
    withdraw_many(
        session, select(REFUSED.c.id), topic_key=None, source=ConsentSource.IMPORT, at=at,
        reference=source, wording=place,
    )  # fmt: skip
    last = ""
    statement = text(
        f"""select key, min(line) as line from import_suppression where key > :last
        group by key order by key limit {BATCH}"""
    )
    while rows := session.execute(statement, {"last": last}).all():
        places = {key: f"{source} {filename}, line {line}" for key, line in rows}
        suppress(
            session, places, reason=SuppressionReason.IMPORTED, source=source, sources=places,
            at=at,
        )  # fmt: skip
        last = rows[-1].key
