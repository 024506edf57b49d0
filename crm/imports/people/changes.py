"""What each matched person's lines would change; the dry run counts it and the apply writes it.

A blank cell is no news. Blocks, deceased and do-not-contact are only ever set. What a student
system says never replaces a city, job or address; no file replaces what a person told us by link.
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.people.merging import RANKS
from crm.imports.people.schema import Schema, Slot
from crm.imports.staging import create_stage, drop_stages

FACTS = {
    "given_name": "text", "middle_name": "text", "family_name": "text", "suffix": "text",
    "former_name": "text", "birth_date": "date", "class_year": "integer", "graduated_on": "date",
}  # fmt: skip
"""Names and school facts: a roster's word counts."""
TOLD = (
    "preferred_name", "language", "city", "state", "postal_code", "job_title", "employer",
    "field_of_work", "college",
)  # fmt: skip
"""What people know best themselves: a roster only fills what is blank."""
NAMES = ("given_name", "middle_name", "family_name", "suffix", "former_name")
FLAGS = ("ferpa_block", "deceased", "do_not_contact")
INFERRED = """coalesce(s.school_status, case
    when s.class_year is null then 'left'
    when make_date(s.class_year, 6, 1) <= cast(:today as date) then 'graduated'
    else 'enrolled' end)"""
TABLES = (
    "import_told", "import_changed", "import_new_id", "import_new_contact", "import_new_schooling",
    "import_new_interest", "import_withdrawal", "import_suppression",
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """How far a file's word goes: `roster` says whether a student system wrote it."""

    roster: bool
    today: date

    def test(self, field: str) -> str:
        """Whether the file's value of a field is to be taken over, in SQL on `p`, `a` and `t`."""
        theirs, ours = f"p.{field}", f"a.{field}"
        untold = f"not coalesce('{field}' = any(t.fields), false)"
        if field in FLAGS:
            return f"({theirs} and not {ours})"
        if field == "custom":
            return "(p.custom is not null and not a.custom @> p.custom)"
        if self.roster and field == "language":
            return f"({theirs} <> 'en' and {ours} = 'en' and {untold})"
        if self.roster and field in TOLD:
            return f"({theirs} is not null and coalesce({ours}, '') = '')"
        changed = f"{theirs} is not null and {theirs} is distinct from {ours}"
        if field in NAMES:
            changed = f"{changed} and not {shouted(theirs, ours)}"
        return f"({changed})" if self.roster else f"({changed} and {untold})"


def shouted(theirs: str, ours: str) -> str:
    """SQL: the file has our name in capitals, as clearing houses return it: that is no news."""
    return f"coalesce({theirs} = upper({theirs}) and {theirs} = upper({ours}), false)"


def find_changes(session: Session, schema: Schema, rules: Rules) -> None:
    """Make the tables of changes for the people of `import_person` whom we know."""
    drop_stages(session, TABLES)
    # What a person set through a mailed link is in the audit trail, field by field.
    session.execute(
        text(
            """create temporary table import_told on commit drop as
            select cast(e.object_id as bigint) as person, array_agg(distinct f.key) as fields
            from audit_entry e, jsonb_object_keys(e.detail -> 'after') f(key)
            where e.object_kind = 'alumnus' and e.action = 'alumnus.edited'
                and e.detail ->> 'source' = 'link' and e.object_id ~ '^[0-9]{1,18}$'
            group by e.object_id"""
        )
    )
    _find_fields(session, rules)
    new_ids(session, schema)
    new_contacts(session, schema)
    _find_schoolings(session, rules)
    _find_interests(session)
    _find_refusals(session, schema)


def _find_fields(session: Session, rules: Rules) -> None:
    fields = (*FACTS, *TOLD, *FLAGS, "custom")
    pairs = ", ".join(
        f"'{f}', case when {rules.test(f)} then jsonb_build_array(a.{f}, p.{f}) end" for f in fields
    )
    session.execute(
        text(
            f"""create temporary table import_changed on commit drop as
            select p.person, p.first, jsonb_strip_nulls(jsonb_build_object({pairs})) as changes
            from import_person p join alumnus a on a.id = p.person
            left join import_told t on t.person = p.person
            where p.person > 0 and ({" or ".join(map(rules.test, fields))})"""
        )
    )


LINES = "import_match m join import_row r using (line)"


def ids_of_lines(
    schema: Schema, condition: str, lines: str = LINES, person: str = "m.person"
) -> str:
    """SELECT of (person, system, value) of the lines `r` that fit the condition.

    Line by line, not system by system: what is written in the order of people costs indices least.
    """
    systems = [f"('{system}', r.{schema.id_column(system)})" for system in schema.systems]
    return f"""select {person} as person, v.system, v.value
        from {lines} cross join lateral (values {", ".join(systems) or "(null, null)"})
            v(system, value)
        where {condition} and v.value is not null"""


def new_ids(session: Session, schema: Schema) -> None:
    """`import_new_id`: ids of people we know that we did not know them by."""
    session.execute(
        text(
            f"""create temporary table import_new_id on commit drop as
            select distinct x.person, x.system, x.value
            from ({ids_of_lines(schema, "m.person > 0")}) x
            where not exists (
                select from external_id e where e.system = x.system and e.value = x.value)"""
        )
    )


def contacts_of_lines(
    schema: Schema, condition: str, lines: str = LINES, person: str = "m.person"
) -> str:
    """SELECT of (person, line, slot, kind, key, value, owner, first) of the lines `r` that fit.

    `first` marks the first own address of its kind in the line.
    """
    slots = [
        f"({slot.number}, '{slot.kind.value}', r.{slot.key}, r.{slot.value}, {slot.owner_sql}, "
        f"{_is_first(schema, slot)})"
        for slot in schema.slots
    ] or ["(0, '', null, '', '', false)"]
    return f"""select {person} as person, r.line, v.*
        from {lines} cross join lateral (values {", ".join(slots)})
            v(slot, kind, key, value, owner, first)
        where {condition} and v.key is not null"""


def _is_first(schema: Schema, slot: Slot) -> str:
    """Whether a slot holds the line's first own address of its kind."""
    if not slot.mutable:
        return "false"
    earlier = [s for s in schema.own_slots(slot.kind) if s.number < slot.number]
    tests = [f"({s.owner_sql} = 'own' and r.{s.key} is not null)" for s in earlier]
    before = f" and ({' or '.join(tests)}) is not true" if tests else ""
    return f"({slot.owner_sql} = 'own'{before})"


def new_contacts(session: Session, schema: Schema) -> None:
    """`import_new_contact`: addresses that people we know get; a parent's claim goes first."""
    session.execute(
        text(
            f"""create temporary table import_new_contact on commit drop as
            select distinct on (x.person, x.kind, x.key) x.*
            from ({contacts_of_lines(schema, "m.person > 0")}) x
            where not exists (
                select from contact_point c
                where c.alumnus_id = x.person and c.kind = x.kind and c.key = x.key)
            order by x.person, x.kind, x.key,
                array_position(array['parent', 'school', 'own'], x.owner), x.line, x.slot"""
        )
    )


def _find_schoolings(session: Session, rules: Rules) -> None:
    """New ones, and news of old ones: a roster corrects only what was assumed."""
    forward = f"{RANKS.format('s.school_status')} > {RANKS.format('o.status')}"
    if rules.roster:
        forward += """ or (s.school_status = 'left' and o.status = 'graduated'
            and o.left_on is null and o.credential is null)"""
    status = f"case when s.school_status is not null and ({forward}) then s.school_status end"
    session.execute(
        text(
            f"""create temporary table import_new_schooling on commit drop as
            select * from (
                select s.person, s.school_id, o.id as old,
                    case when s.class_year is distinct from o.class_year then s.class_year
                        end as class_year,
                    case when o.id is null then {INFERRED} else {status} end as status,
                    case when s.left_on is distinct from o.left_on then s.left_on end as left_on,
                    case when s.credential is distinct from o.credential then s.credential
                        end as credential,
                    case when o.id is not null then jsonb_build_object(
                        'class_year', o.class_year, 'status', o.status, 'left_on', o.left_on,
                        'credential', o.credential) end as was
                from import_schooling s
                left join schooling o on o.alumnus_id = s.person and o.school_id = s.school_id
                where s.person > 0
            ) news where old is null
                or num_nonnulls(class_year, status, left_on, credential) > 0"""
        ),
        {"today": rules.today},
    )


def interests_of(condition: str) -> str:
    """SELECT of (person, kind, key) of the people who fit the condition."""
    return " union all ".join(
        f"""select p.person, '{kind}' as kind, w.key
        from import_person p, unnest(string_to_array(p.{column}, ',')) w(key)
        where {condition} and p.{column} is not null"""
        for kind, column in (("way", "ways"), ("subject", "subjects"))
    )


def _find_interests(session: Session) -> None:
    session.execute(
        text(
            f"""create temporary table import_new_interest on commit drop as
            select distinct x.person, x.kind, x.key from ({interests_of("p.person > 0")}) x
            where not exists (
                select from interest i
                where i.alumnus_id = x.person and i.kind = x.kind and i.key = x.key)"""
        )
    )


def _find_refusals(session: Session, schema: Schema) -> None:
    """Withdrawals and suppressions that are news.

    A no on a line that finds nobody (doubtful, rejected, skipped) still closes its addresses.
    A file that said so before has no news for a person who since asked for mail again themselves.
    """
    session.execute(
        text(
            """create temporary table import_withdrawal on commit drop as
            select p.person, min(r.line) as line
            from import_person p join import_match m using (person)
            join import_row r on r.line = m.line and r.opt_out
            where p.opt_out and not exists (
                select from consent_entry e
                where e.alumnus_id = p.person and e.topic_key is null and e.state = 'withdrawn'
                    and (e.source = 'import' or not exists (
                        select from consent_entry l
                        where l.alumnus_id = e.alumnus_id and l.id > e.id
                            and l.state not in (e.state, 'paused'))))
            group by p.person"""
        )
    )
    create_stage(
        session, "import_suppression", {"person": "bigint", "key": "text", "line": "integer"}
    )
    for slot in schema.slots:
        if slot.kind.value == "email" and slot.mutable:
            session.execute(
                text(
                    f"""insert into import_suppression
                    select m.person, r.{slot.key}, r.line
                    from import_row r left join import_match m using (line)
                    where (r.suppress or (r.opt_out and m.person is null))
                        and r.{slot.key} is not null
                        and not exists (
                            select from suppression s where s.address_key = r.{slot.key})"""
                )
            )
