"""Keeps what a file said and was not taken over, so that both words can be read."""

# Column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.people.changes import FACTS, NAMES, TOLD, shouted

FIELDS = (*FACTS, *TOLD)


def keep_words(session: Session, *, import_id: int, at: datetime) -> None:
    """Note each field of which the file that was just written says something else than we hold.

    Only of people we knew. A word that the files said last already is not noted again; one that now
    agrees with us is, so that the earlier one no longer counts. One statement for the whole file.
    """
    words = ", ".join(f"('{n}', cast(p.{n} as text), cast(a.{n} as text))" for n in FIELDS)
    names = ", ".join(f"'{n}'" for n in NAMES)
    capitals = f"w.field in ({names}) and {shouted('w.said', 'w.held')}"
    differs = " or ".join(f"(p.{n} is distinct from a.{n} and p.{n} is not null)" for n in FIELDS)
    session.execute(
        text(
            f"""insert into file_word (alumnus_id, field, value, import_id, line, at)
            select a.id, w.field, w.said, :id, p.first, :at
            from import_person p join alumnus a on a.id = p.person
            cross join lateral (values {words}) w (field, said, held)
            left join lateral (
                select f.value from file_word f
                where f.alumnus_id = a.id and f.field = w.field order by f.id desc limit 1
            ) last on true
            where p.person > 0 and w.said is not null and w.said is distinct from last.value
                and not ({capitals}) and (w.said is distinct from w.held or last.value is not null)
                and ({differs} or exists (select from file_word f where f.alumnus_id = a.id))
            on conflict do nothing"""
        ),
        {"id": import_id, "at": at},
    )
