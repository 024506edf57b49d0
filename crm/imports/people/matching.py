"""Finds for every line of the stage the person it is about: one we know, or one it will make.

Three tiers, each seeing what the earlier ones found: lines with an id of some system; lines with a
birth date, an address or a school; lines with a name and a class year alone. The result is
`import_match(line, person, reason)`: a positive person is an alumnus, a negative one is new and
named after its first line; a reason without a person is a conflict.
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.alumni.models import ContactKind
from crm.imports.people.candidates import (
    DOUBT,
    add_candidates_of_file,
    agreeing_birth,
    find_candidates,
    own_keys,
    same_name,
)
from crm.imports.people.grouping import CROWD, MAX_ROUNDS, label_lines
from crm.imports.people.schema import Schema
from crm.imports.staging import create_stage, drop_stages

OPEN = {"line": "integer", "label": "integer"}
TABLES = (
    "import_hit", "import_twin", "import_label", "import_open", "import_candidate", "import_match",
    "import_place",
)  # fmt: skip
SOURCE = "import_open o join import_row r using (line)"


def match_lines(session: Session, schema: Schema) -> None:
    """Fill `import_match` for every line that is neither rejected nor skipped yet."""
    drop_stages(session, TABLES)
    create_stage(
        session, "import_match",
        {"line": "integer primary key", "person": "bigint", "reason": "text"},
    )  # fmt: skip
    if schema.systems:
        _match_by_ids(session, schema)
    some = _no_id(schema)
    known = ["r.birth_date is not null", "r.school_id is not null"]
    known += [f"r.{slot.key} is not null" for slot in schema.slots if slot.mutable]
    weak = f"({' or '.join(known)})"
    _match_by_facts(session, schema, f"{some} and {weak}", _weak_keys(schema), _near(schema))
    _match_by_facts(
        session, schema, f"{some} and not {weak}", ["r.sort_key || '|' || r.class_year"], ""
    )
    session.execute(text("analyze import_match"))


def _no_id(schema: Schema) -> str:
    columns = [f"r.{schema.id_column(system)} is null" for system in schema.systems]
    return " and ".join(["r.fate is null", *columns])


def _match_by_ids(session: Session, schema: Schema) -> None:
    """Lines with ids: by the id itself; else by facts, unless another id speaks against it."""
    ids = " union all ".join(
        f"select r.line, '{system}' as system, r.{schema.id_column(system)} as value "
        f"from import_row r where r.fate is null and r.{schema.id_column(system)} is not null"
        for system in schema.systems
    )
    session.execute(
        text(
            f"""create temporary table import_hit on commit drop as
            select x.line, min(coalesce(a.merged_into_id, a.id)) as low,
                max(coalesce(a.merged_into_id, a.id)) as high
            from ({ids}) x join external_id e on e.system = x.system and e.value = x.value
            join alumnus a on a.id = e.alumnus_id group by x.line"""
        )
    )
    keys = [f"r.{schema.id_column(system)}" for system in schema.systems]
    label_lines(session, "(select * from import_row where fate is null) r", keys)
    present = " or ".join(f"{key} is not null" for key in keys)
    session.execute(
        text(
            f"""create temporary table import_place on commit drop as
            select r.line, coalesce(l.label, r.line) as label, h.low, h.high
            from import_row r
            left join import_label l using (line) left join import_hit h using (line)
            where r.fate is null and ({present})"""
        )
    )
    session.execute(text("analyze import_place"))
    _settle_hits(session)
    find_candidates(session, schema, with_ids=True)
    _drop_rival_claims(session, schema)
    _settle_open(session)


def _settle_hits(session: Session) -> None:
    """Match lines whose id, or whose group's id, is known; the rest goes to `import_open`."""
    create_stage(session, "import_open", OPEN)
    session.execute(
        text(
            """with found as (
                select label, min(low) as low, max(high) as high from import_place
                where low is not null group by label
            ), matched as (
                insert into import_match
                select p.line, case when f.low = f.high then f.low end,
                    case when f.low <> f.high then
                        'its ids belong to two people, #' || f.low || ' and #' || f.high end
                from import_place p join found f using (label)
            )
            insert into import_open select p.line, p.label from import_place p
            where not exists (select from found f where f.label = p.label)"""
        )
    )
    session.execute(text("analyze import_open"))


def _drop_rival_claims(session: Session, schema: Schema) -> None:
    """Two different ids of one system may not claim the same person: that is a doubt for both."""
    for system in schema.systems:
        column = schema.id_column(system)
        session.execute(
            text(
                f"""update import_candidate c set rank = {DOUBT} from (
                    select person from import_candidate join import_row r using (line)
                    where rank < {DOUBT} and r.{column} is not null
                    group by person having count(distinct r.{column}) > 1
                ) rival where rival.person = c.person"""
            )
        )


def _match_by_facts(
    session: Session, schema: Schema, condition: str, keys: list[str], pairs: str
) -> None:
    """Lines without an id: by facts, against the database and the lines matched before."""
    create_stage(session, "import_open", OPEN)
    count = session.execute(
        text(f"insert into import_open select r.line, r.line from import_row r where {condition}")
    ).rowcount  # type: ignore[attr-defined]
    if not count:
        return
    session.execute(text("analyze import_open"))
    find_candidates(session, schema, with_ids=False)
    add_candidates_of_file(session, schema)
    # A line that found its person may be what tells who another line is.
    for _ in range(MAX_ROUNDS):
        if not _settle_found(session):
            break
        session.execute(text("truncate import_candidate"))
        add_candidates_of_file(session, schema)
    label_lines(session, SOURCE, keys, pairs=pairs)
    session.execute(
        text(
            """with torn as (
                select l.label from import_label l join import_row r using (line)
                where r.birth_date is not null
                group by l.label having count(distinct r.birth_date) > 1
            )
            insert into import_match
            select o.line, case when t.label is null then -coalesce(l.label, o.line) end,
                case when t.label is not null then
                    'shares its facts with line ' || t.label || ' but not the birth date' end
            from import_open o left join import_label l using (line)
            left join torn t on t.label = l.label"""
        )
    )


def _settle_found(session: Session) -> int:
    """Match the open lines that have candidates and close them; answers how many.

    Several equally likely people, or a doubtful one, make a conflict of the line.
    """
    settled = session.execute(
        text(
            f"""with best as (
                select label, min(rank) as rank from import_candidate
                where rank is not null group by label
            ), found as (
                select c.label, b.rank, min(c.person) as low, max(c.person) as high
                from import_candidate c join best b on b.label = c.label and b.rank = c.rank
                group by c.label, b.rank
            ), matched as (
                insert into import_match
                select o.line, case when f.low = f.high and f.rank < {DOUBT} then f.low end,
                    case when f.low <> f.high then 'fits several people: ' || {_named("f.low")}
                            || ' and ' || {_named("f.high")}
                        when f.rank = {DOUBT} then 'may be ' || {_named("f.low")}
                            || ', but the files do not agree; add an id or a birth date' end
                from import_open o join found f using (label)
            )
            delete from import_open o using found f where f.label = o.label"""
        )
    )
    return int(settled.rowcount)  # type: ignore[attr-defined]


def _named(person: str) -> str:
    return f"(case when {person} > 0 then '#' || {person} else 'line ' || -{person} end)"


def _settle_open(session: Session) -> None:
    """Match what has candidates; each group of lines that is left makes a new person."""
    _settle_found(session)
    session.execute(text("insert into import_match select line, -label from import_open"))


def _weak_keys(schema: Schema) -> list[str]:
    """Keys that two lines of one person share."""
    keys = [
        "r.sort_key || '|' || r.birth_date",
        "r.sort_key || '|' || r.school_id || '|' || coalesce(r.class_year::text, '')",
    ]
    for kind in (ContactKind.EMAIL, ContactKind.PHONE):
        for slot in schema.own_slots(kind):
            own = f" and r.{slot.owner_column} = 'own'" if slot.owner_column else ""
            keys.append(
                f"case when r.{slot.key} is not null{own}"
                f" then r.{slot.key} || '|' || r.sort_key end"
            )
    return keys


def _near(schema: Schema) -> str:
    """Pairs of lines with the same own e-mail and much the same name."""
    mails = schema.own_slots(ContactKind.EMAIL)
    if not mails:
        return ""
    return f"""with mailed as (
            select r.line, r.sort_key, r.name_key, r.birth_date, v.key
            from {SOURCE} cross join lateral {own_keys(mails)} where v.key is not null
        ), shared as (
            select key from mailed group by key having count(*) between 2 and {CROWD}
        )
        select b.line, a.line from mailed a join shared using (key) join mailed b using (key)
        where a.line < b.line and {same_name("a", "b")}
            and {agreeing_birth("a", "b")}"""
