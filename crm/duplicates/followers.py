"""The rows of every package that follow a person into another's record, and back.

The foreign keys tell which tables name a person (by the column `alumnus_id`), so that none is
forgotten. A row that the other record has already, by some rule that lets a person have a thing
once, stays behind; so does one that a package knows to be the same thing (`extensions().same`).
"""

# Table and column names come from our own models, never from a user.
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Table, UniqueConstraint, text
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import extensions

OWN = frozenset({"alumnus", "consent_entry", "duplicate_pair"})
"""The record itself, its ledger, which is never rewritten, and guesses about two people."""
PERSON = "alumnus_id"
SWAPPED = "swapped:"
PREFERRED = "preferred"
"""The rule of one preferred address a kind: the mark gives way, the address follows."""


def followers() -> Iterator[Table]:
    """The tables whose rows follow."""
    known = extensions()
    for table in db.metadata.sorted_tables:
        names = any(key.column.table.name == "alumnus" for key in table.foreign_keys)
        stays = table.name in OWN or (
            table.name in known.derived and table.name not in known.follow
        )
        if names and not stays:
            yield table


def counts(session: Session, kept_id: int, gone_id: int) -> dict[str, tuple[int, int]]:
    """By table, how many rows would follow and how many would stay behind."""
    values, found = {"kept": kept_id, "gone": gone_id}, {}
    parts = [
        f"""select '{table.name}' as name, count(*) filter (where not ({taken})),
        count(*) filter (where {taken}) from {table.name} g where g.{PERSON} = :gone"""
        for table in followers()
        for taken in [" or ".join(_taken(table, but=PREFERRED)) or "false"]
    ]
    for name, follow, stay in session.execute(text(" union all ".join(parts)), values):
        if follow or stay:
            found[name] = (follow, stay)
    return found


def move_all(session: Session, kept_id: int, gone_id: int) -> dict[str, list[str]]:
    """Let every row follow; answers by table what each row is known by."""
    values = {"kept": kept_id, "gone": gone_id}
    moved = {"preferred": list(session.scalars(text(
        """update contact_point g set preferred = false where g.alumnus_id = :gone and g.preferred
        and exists (select from contact_point k where k.alumnus_id = :kept and k.kind = g.kind
            and k.preferred) returning id"""), values))}  # fmt: skip
    swapped = _take_better(session, values)
    for table in followers():
        statement = f"""update {table.name} g set {PERSON} = :kept
            where g.{PERSON} = :gone and not ({_taken_by(table)}) returning {_known_by(table)}"""
        moved[table.name] = list(session.scalars(text(statement), values))
    return {table: [str(i) for i in ids] for table, ids in moved.items() if ids} | swapped


def _take_better(session: Session, values: Mapping[str, int]) -> dict[str, list[str]]:
    """Where either record has the same thing once, let the one that stays have the better row.

    Answers by table which two rows changed places.
    """
    found = {}
    for name, (shared, better) in extensions().better.items():
        statement = f"""select o.id, g.id from {name} o join {name} g on g.{shared} = o.{shared}
            where o.{PERSON} = :kept and g.{PERSON} = :gone and {better} order by 1"""
        pairs = session.execute(text(statement), values).all()
        for worse, best in pairs:
            _exchange(session, name, {worse: values["gone"], best: values["kept"]})
        if pairs:
            found[f"{SWAPPED}{name}"] = [f"{worse} {best}" for worse, best in pairs]
    return found


def _exchange(session: Session, name: str, rows: Mapping[int, int]) -> None:
    """Give two rows (by id) to each other's records; the first is out of the table meanwhile.

    No two of such a thing may be one person's at any moment, so that they cannot just be updated.
    """
    (first, first_to), (second, second_to) = rows.items()
    out = text(f"delete from {name} t where id = :id returning to_jsonb(t)")
    row = session.scalars(out, {"id": first}).one()
    moved = text(f"update {name} set {PERSON} = :person where id = :id")
    session.execute(moved, {"person": second_to, "id": second})
    back = text(
        f"""insert into {name}
        select (jsonb_populate_record(cast(null as {name}), cast(:row as jsonb))).*"""
    )
    session.execute(back, {"row": json.dumps({**row, PERSON: first_to})})


def move_back(session: Session, kept_id: int, gone_id: int, moved: Mapping[str, Any]) -> None:
    """Let the rows return that followed and still are with the record that stayed."""
    values = {"kept": kept_id, "gone": gone_id}
    for key in [key for key in moved if key.startswith(SWAPPED)]:
        name = key.removeprefix(SWAPPED)
        for worse, best in (map(int, pair.split()) for pair in moved[key]):
            theirs = text(f"select id, {PERSON} from {name} where id in (:worse, :best)")
            rows = session.execute(theirs, {"worse": worse, "best": best})
            held: dict[int, int] = {row[0]: row[1] for row in rows}
            if held == {worse: gone_id, best: kept_id}:
                _exchange(session, name, {worse: kept_id, best: gone_id})
    for name, ids in moved.items():
        if name == "preferred" or name not in db.metadata.tables:
            continue
        statement = f"""update {name} g set {PERSON} = :gone
            where g.{PERSON} = :kept and {_known_by(db.metadata.tables[name])} = any(:ids)"""
        session.execute(text(statement), {**values, "ids": ids})
    session.execute(
        text(
            """update contact_point set preferred = true where cast(id as text) = any(:ids)
            and alumnus_id = :gone"""
        ),
        {"gone": gone_id, "ids": moved.get("preferred", [])},
    )


def _known_by(table: Table) -> str:
    """SQL for what a row `g` is known by, whoever it belongs to."""
    names = [column.name for column in table.primary_key if column.name != PERSON]
    if len(names) == 1:
        return f"cast(g.{names[0]} as text)"
    return f"cast(jsonb_build_array({', '.join(f'g.{name}' for name in names)}) as text)"


def _taken_by(table: Table) -> str:
    return " or ".join(_taken(table)) or "false"


def _taken(table: Table, but: str = "") -> Iterator[str]:
    """For each rule of the table that lets a person have a thing once: the other has it already."""
    rules = [(list(u.columns), "") for u in table.constraints if isinstance(u, UniqueConstraint)]
    rules.append((list(table.primary_key), ""))
    for index in table.indexes:
        where = index.dialect_options["postgresql"].get("where")
        if index.unique:
            rules.append((list(index.columns), "" if where is None else str(where)))
    if same := extensions().same.get(table.name):
        yield f"(exists (select from {table.name} o where o.{PERSON} = :kept and {same}))"
    for columns, where in rules:
        names = [column.name for column in columns]
        if PERSON not in names or (but and where == but):
            continue
        same = " and ".join(f"o.{n} = g.{n}" for n in names if n != PERSON) or "true"
        inside = f" and ({where})" if where else ""
        outside = f"({where}) and " if where else ""
        yield (
            f"({outside}exists (select from {table.name} o where o.{PERSON} = :kept "
            f"and {same}{inside}))"
        )
