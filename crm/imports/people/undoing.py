"""Undoes a people file from the fates of its lines: `changes` holds each fact before and after."""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.imports.models import ImportRun
from crm.imports.people.changes import FACTS, FLAGS, TOLD
from crm.imports.people.rows import NAMES
from crm.imports.people.writing import prefer_first, rename
from crm.imports.staging import drop_stages

OWN = ("external_id", "contact_point", "schooling", "interest", "consent_entry")
"""What a file may make of a person, deleted with them."""
LATER = "stays: a later file names this person too; undo that one first"
SINCE = "stays: something happened with this person since"
BACK = "taken back"


def undo_people(session: Session, run: ImportRun, *, derived: Mapping[str, str]) -> dict[str, int]:
    """Take back what a people file made and changed.

    `derived`: the tables that are computed from people's facts, in the order to delete from, each
    with the condition for its rows (`{gone}` stands for the ids).
    """
    values: dict[str, Any] = {"id": run.id, "source": f"import:{run.id}", "at": run.applied_at}
    drop_stages(session, ["undo_person", "undo_update"])
    session.execute(
        text(
            f"""create temporary table undo_person on commit drop as
            select l.line, l.alumnus_id as id, l.fate, l.changes, '{BACK}' as word
            from import_line l
            where l.import_id = :id and l.fate in ('create', 'update')
                and l.alumnus_id is not null"""
        ),
        values,
    )
    session.execute(text("create index on undo_person (id)"))
    session.execute(text("analyze undo_person"))
    _keep_those_named_later(session, values)
    _keep_those_who_moved_on(session, values, derived)
    removed = _remove(session, derived)
    restored = _restore(session, values)
    session.execute(
        text(
            """update import_line l set undone = u.word from undo_person u
            where l.import_id = :id and l.line = u.line"""
        ),
        values,
    )
    session.execute(text("delete from file_word where import_id = :id"), values)
    kept = session.scalar(text("select count(*) from undo_person where word like 'stays%'")) or 0
    return {"removed": removed, "restored": restored, "kept": kept}


def _keep_those_named_later(session: Session, values: dict[str, Any]) -> None:
    session.execute(
        text(
            f"""update undo_person u set word = '{LATER}'
            where u.id in (
                select l.alumnus_id from import_line l join import_run r on r.id = l.import_id
                where l.import_id > :id and r.state = 'applied' and r.kind = 'people'
                    and l.alumnus_id is not null)"""
        ),
        values,
    )


def _keep_those_who_moved_on(
    session: Session, values: dict[str, Any], derived: Mapping[str, str]
) -> None:
    """New people who were edited, written to, asked, merged or did something stay."""
    free = {*derived, *OWN}
    parts = [
        f"select {column.name} from {table.name} where {column.name} is not null"
        for table in db.metadata.sorted_tables if table.name not in free
        for key in table.foreign_keys if key.column.table.name == "alumnus"
        for column in [key.parent]
    ]  # fmt: skip
    parts += [
        "select alumnus_id from contact_point where source <> :source",
        "select alumnus_id from interest where source <> :source",
        "select alumnus_id from consent_entry where source <> 'import' or reference <> :source",
        """select cast(object_id as bigint) from audit_entry
        where object_kind = 'alumnus' and at >= :at and object_id ~ '^[0-9]{1,18}$'""",
    ]
    for part in parts:
        session.execute(
            text(
                f"""update undo_person u set word = '{SINCE}'
                where fate = 'create' and word = '{BACK}' and u.id in ({part})"""
            ),
            values,
        )


def _remove(session: Session, derived: Mapping[str, str]) -> int:
    """Delete the new people; an address of theirs that wants no mail stays suppressed."""
    gone = f"select id from undo_person where fate = 'create' and word = '{BACK}'"
    session.execute(text("set local homecoming.erasing = 'yes'"))
    session.execute(
        text(
            f"""insert into suppression (address_key, reason, source, at)
            select distinct c.key, 'imported', c.source, e.at
            from consent_entry e join contact_point c using (alumnus_id)
            where e.alumnus_id in ({gone}) and e.state = 'withdrawn' and e.topic_key is null
                and c.kind = 'email' and c.owner = 'own'
            on conflict do nothing"""
        )
    )
    for table, condition in {**derived, **dict.fromkeys(OWN, "alumnus_id in ({gone})")}.items():
        session.execute(text(f"delete from {table} where {condition.format(gone=gone)}"))
    done = session.execute(text(f"delete from alumnus where id in ({gone})"))
    session.execute(text("set local homecoming.erasing = 'no'"))
    return int(done.rowcount)  # type: ignore[attr-defined]


def _restore(session: Session, values: dict[str, Any]) -> int:
    """Give people whom we knew before their earlier facts back, where they still are the file's."""
    session.execute(
        text(
            f"""create temporary table undo_update on commit drop as
            select line, id, changes from undo_person where fate = 'update' and word = '{BACK}'"""
        )
    )
    session.execute(text("analyze undo_update"))
    _name_exceptions(session)
    _restore_fields(session)
    _restore_schoolings(session)
    for statement in (
        """delete from external_id e using undo_update u where e.alumnus_id = u.id
            and u.changes -> 'ids' ? (e.system || ':' || e.value)""",
        """delete from interest i using undo_update u
            where i.alumnus_id = u.id and i.source = :source""",
        """delete from contact_point c using undo_update u where c.alumnus_id = u.id
            and c.source = :source and c.updated_at = c.created_at""",
    ):
        session.execute(text(statement), values)
    prefer_first(session, "select id from undo_update")
    return session.scalar(text("select count(*) from undo_update")) or 0


def _kinds() -> dict[str, str]:
    """Each field that is given back, with its SQL type."""
    return {**FACTS, **dict.fromkeys(TOLD, "text")}


def _name_exceptions(session: Session) -> None:
    """Say on the line which of its facts stay: changed since, or a tightening."""
    changed = " ".join(
        f"when f.key = '{name}' then a.{name} is distinct from cast(f.value ->> 1 as {kind})"
        for name, kind in _kinds().items()
    )
    flags = ", ".join(f"'{name}'" for name in FLAGS)
    session.execute(
        text(
            f"""update undo_person x set word = '{BACK}, except ' || told.names
            from (
                select u.line, string_agg(replace(f.key, '_', ' '), ', ' order by f.key) as names
                from undo_update u join alumnus a using (id),
                    jsonb_each(u.changes -> 'fields') f
                where f.key in ({flags}) or case {changed}
                    when f.key = 'custom' then not a.custom @> (f.value -> 1) else false end
                group by u.line
            ) told where told.line = x.line"""
        )
    )


def _restore_fields(session: Session) -> None:
    settings = []
    for name, kind in _kinds().items():
        change = f"u.changes -> 'fields' -> '{name}'"
        settings.append(
            f"""{name} = case when {change} is not null
                and a.{name} is not distinct from cast({change} ->> 1 as {kind})
                then cast({change} ->> 0 as {kind}) else a.{name} end"""
        )
    custom = "u.changes -> 'fields' -> 'custom'"
    settings.append(
        f"""custom = case when {custom} is not null and a.custom @> ({custom} -> 1)
            then (a.custom - array(select jsonb_object_keys({custom} -> 1))) || coalesce((
                select jsonb_object_agg(o.key, o.value) from jsonb_each({custom} -> 0) o
                where ({custom} -> 1) ? o.key), '{{}}'::jsonb)
            else a.custom end"""
    )
    session.execute(
        text(
            f"""update alumnus a set {", ".join(settings)} from undo_update u
            where a.id = u.id and u.changes ? 'fields'"""
        )
    )
    named = " or ".join(f"changes -> 'fields' ? '{name}'" for name in NAMES)
    rename(session, f"select id from undo_update where {named}")


def _restore_schoolings(session: Session) -> None:
    """Take new schoolings out, and give the facts of older ones back."""
    each = """undo_update u, jsonb_to_recordset(u.changes -> 'schoolings')
        as s(school_id bigint, new boolean, was jsonb, now jsonb)
        where u.changes ? 'schoolings' and o.alumnus_id = u.id and o.school_id = s.school_id"""
    session.execute(text(f"delete from schooling o using {each} and s.new"))
    kinds = {"class_year": "integer", "status": "text", "left_on": "date", "credential": "text"}
    settings = ", ".join(
        f"""{name} = case when s.now ? '{name}'
            and o.{name} is not distinct from cast(s.now ->> '{name}' as {kind})
            then cast(s.was ->> '{name}' as {kind}) else o.{name} end"""
        for name, kind in kinds.items()
    )
    session.execute(text(f"update schooling o set {settings} from {each} and not s.new"))
