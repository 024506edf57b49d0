"""Who a line may be: the rules that compare it with people we know and with other lines.

Ranks, surest first: 1 own e-mail and the very name; 2 own e-mail and much the same name, or the
same birth date; 3 name and birth date, or name and an id that lost its zeros; 4 own phone and name;
5 name, school and class; 6 name and school where one side has no class; 7 name and class alone.
9 is a doubt, which makes a conflict of the line.
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.alumni.models import ContactKind
from crm.imports.people.schema import Schema, Slot
from crm.imports.staging import create_stage

DOUBT = 9


def array(column: str) -> str:
    """The words of a folded text as an SQL array."""
    return f"string_to_array({column}, ' ')"


def same_name(a: str, b: str) -> str:
    """Whether two rows have much the same name: one's list name is among all the other's names."""
    return (
        f"({a}.sort_key = {b}.sort_key or {array(f'{a}.name_key')} @> {array(f'{b}.sort_key')}"
        f" or {array(f'{b}.name_key')} @> {array(f'{a}.sort_key')})"
    )


def agreeing_birth(a: str, b: str) -> str:
    """Whether two birth dates do not contradict each other."""
    return f"({a}.birth_date is null or {b}.birth_date is null or {a}.birth_date = {b}.birth_date)"


def _mail_rank(a: str) -> str:
    return f"""case
        when {a}.birth_date = r.birth_date and {a}.sort_key <> r.sort_key then 2
        when {a}.birth_date <> r.birth_date and {same_name("r", a)} then {DOUBT}
        when {a}.birth_date <> r.birth_date then null
        when {a}.sort_key = r.sort_key then 1
        when {same_name("r", a)} then 2
        else {DOUBT} end"""


def _same_family(a: str) -> str:
    return f"({array(f'{a}.name_key')} @> {array('r.family_key')} or {same_name('r', a)})"


def own_keys(slots: tuple[Slot, ...], row: str = "r") -> str:
    """A lateral list `v(key)` of the addresses of a row that are its person's own."""
    parts = [
        f"(case when {row}.{slot.owner_column} = 'own' then {row}.{slot.key} end)"
        if slot.owner_column
        else f"({row}.{slot.key})"
        for slot in slots
    ]
    return f"(values {', '.join(parts)}) v(key)"


def _veto(schema: Schema) -> str:
    """No candidate has another id of a system in which the line has one: ids outrank names."""
    different = " or ".join(
        f"(e.system = '{system}'"
        f" and ltrim(e.value, '0') <> ltrim(r.{schema.id_column(system)}, '0'))"
        for system in schema.systems
    )
    if not different:
        return "true"
    return f"not exists (select from external_id e where e.alumnus_id = a.id and ({different}))"


def find_candidates(session: Session, schema: Schema, *, with_ids: bool) -> None:
    """Fill `import_candidate(line, label, person, rank)` for `import_open` from the database.

    `with_ids`: the lines carry ids that nobody has yet.
    """
    create_stage(
        session, "import_candidate",
        {"line": "integer", "label": "integer", "person": "bigint", "rank": "integer"},
    )  # fmt: skip
    veto = _veto(schema) if with_ids else "true"
    for rule in _database_rules(schema, with_ids=with_ids):
        session.execute(text(f"insert into import_candidate {rule} and {veto}"))


def _database_rules(schema: Schema, *, with_ids: bool) -> list[str]:
    start = "from import_open o join import_row r using (line)"
    alive = "a.merged_into_id is null"
    rules = []
    if mails := schema.own_slots(ContactKind.EMAIL):
        rules.append(
            f"""select o.line, o.label, a.id, {_mail_rank("a")} {start}
            cross join lateral {own_keys(mails)}
            join contact_point p on p.key = v.key and p.kind = 'email' and p.owner = 'own'
            join alumnus a on a.id = p.alumnus_id and {alive}
            where {_same_family("a")}"""
        )
    rules.append(
        f"""select o.line, o.label, a.id, 3 {start}
        join alumnus a on a.sort_key = r.sort_key and a.birth_date = r.birth_date and {alive}
        where true"""
    )
    if phones := schema.own_slots(ContactKind.PHONE):
        rules.append(
            f"""select o.line, o.label, a.id, 4 {start} cross join lateral {own_keys(phones)}
            join contact_point p on p.key = v.key and p.kind = 'phone' and p.owner = 'own'
            join alumnus a on a.id = p.alumnus_id and a.sort_key = r.sort_key and {alive}
            where {agreeing_birth("a", "r")}"""
        )
    rules.append(
        f"""select o.line, o.label, a.id,
            case when s.class_year is not distinct from r.class_year then 5 else 6 end {start}
        join alumnus a on a.sort_key = r.sort_key and {alive}
        join schooling s on s.alumnus_id = a.id and s.school_id = r.school_id
        where {agreeing_birth("a", "r")} and (
            s.class_year is null or r.class_year is null or s.class_year = r.class_year)"""
    )
    if with_ids:
        rules += [_zeros_rule(schema, system, start, alive) for system in schema.systems]
    else:
        rules.append(_class_rule(schema, start, alive))
    return rules


def _zeros_rule(schema: Schema, system: str, start: str, alive: str) -> str:
    """The same name and the same id but for leading zeros, which spreadsheets lose."""
    return f"""select o.line, o.label, a.id, 3 {start}
        join external_id x on x.system = '{system}'
            and ltrim(x.value, '0') = ltrim(r.{schema.id_column(system)}, '0')
        join alumnus a on a.id = x.alumnus_id and a.sort_key = r.sort_key and {alive}
        where true"""


def _class_rule(schema: Schema, start: str, alive: str) -> str:
    """Name and class alone decide only where no address speaks for somebody else."""
    mails = schema.own_slots(ContactKind.EMAIL)
    told = f"exists (select from {own_keys(mails)} where v.key is not null)" if mails else "false"
    return f"""select o.line, o.label, a.id, case when {told} and exists (
            select from contact_point p
            where p.alumnus_id = a.id and p.kind = 'email' and p.owner = 'own'
        ) then {DOUBT} else 7 end {start}
        join alumnus a on a.sort_key = r.sort_key and a.class_year = r.class_year and {alive}
        where r.birth_date is null and r.school_id is null"""


def add_candidates_of_file(session: Session, schema: Schema) -> None:
    """Compare the lines of `import_open` with the earlier lines of this file, by the same rules."""
    if not session.scalar(
        text("select exists (select from import_match where person is not null)")
    ):
        return
    for rule in _file_rules(schema):
        session.execute(text(f"insert into import_candidate {rule}"))


def _file_rules(schema: Schema) -> list[str]:
    start = "from import_open o join import_row r using (line)"
    known = "join import_match m on m.line = a.line and m.person is not null"
    rules = []
    for kind, rank, condition in (
        (ContactKind.EMAIL, _mail_rank("a"), _same_family("a")),
        (ContactKind.PHONE, "4", f"a.sort_key = r.sort_key and {agreeing_birth('a', 'r')}"),
    ):
        if slots := schema.own_slots(kind):
            rules.append(
                f"""select o.line, o.label, m.person, {rank} {start}
                cross join lateral {own_keys(slots)}
                join (select a.*, v.key from import_row a cross join lateral {own_keys(slots, "a")}
                ) a on a.key = v.key {known} where {condition}"""
            )
    rules.append(
        f"""select o.line, o.label, m.person, 3 {start}
        join import_row a on a.sort_key = r.sort_key and a.birth_date = r.birth_date {known}"""
    )
    rules.append(
        f"""select o.line, o.label, m.person,
            case when a.class_year is not distinct from r.class_year then 5 else 6 end {start}
        join import_row a on a.sort_key = r.sort_key and a.school_id = r.school_id {known}
        where {agreeing_birth("a", "r")} and (
            a.class_year is null or r.class_year is null or a.class_year = r.class_year)"""
    )
    mails = schema.own_slots(ContactKind.EMAIL)
    both = "false"
    if mails:
        both = (
            f"exists (select from {own_keys(mails)} where v.key is not null) and "
            f"exists (select from {own_keys(mails, 'a')} where v.key is not null)"
        )
    rules.append(
        f"""select o.line, o.label, m.person, case when {both} then {DOUBT} else 7 end {start}
        join import_row a on a.sort_key = r.sort_key and a.class_year = r.class_year {known}
        where r.birth_date is null and r.school_id is null"""
    )
    return rules
