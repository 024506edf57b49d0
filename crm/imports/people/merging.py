"""Puts the lines of one person together: the last word a file says on a field counts.

Makes the views `import_person` (one row a person) and `import_schooling` (one a person and school).
"""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.people.schema import SCALARS
from crm.imports.staging import drop_stages

RANKS = "array_position(array['enrolled', 'left', 'graduated'], {})"
SCHOOLING = ("class_year", "school_status", "left_on", "credential")


def merge_lines(session: Session) -> None:
    """Make `import_several` (people of several lines), their merged rows and the views."""
    session.execute(text("drop view if exists pg_temp.import_person, pg_temp.import_schooling"))
    drop_stages(session, ["import_several", "import_merged", "import_merged_schooling"])
    session.execute(
        text(
            """create temporary table import_several on commit drop as
            select person, min(line) as first from import_match
            where person is not null group by person having count(*) > 1"""
        )
    )
    merged = ", ".join(f"{_merged(name, kind)} as {name}" for name, kind in SCALARS.items())
    session.execute(
        text(
            f"""create temporary table import_merged on commit drop as
            select s.person, s.first, {merged}
            from import_several s join import_match m using (person) join import_row r using (line)
            group by s.person, s.first"""
        )
    )
    session.execute(
        text(
            f"""create temporary table import_merged_schooling on commit drop as
            select s.person, r.school_id, {_last("class_year")} as class_year,
                (array_agg(r.school_status order by
                    {RANKS.format("r.school_status")} desc nulls last))[1] as school_status,
                {_last("left_on")} as left_on, {_last("credential")} as credential
            from import_several s join import_match m using (person) join import_row r using (line)
            where r.school_id is not null group by s.person, r.school_id"""
        )
    )
    session.execute(text("analyze import_several"))
    _make_views(session)


def _make_views(session: Session) -> None:
    columns = ", ".join(SCALARS)
    single = """import_match m join import_row r using (line)
        where m.person is not null
            and not exists (select from import_several s where s.person = m.person)"""
    session.execute(
        text(
            f"""create temporary view import_person as
            select m.person, m.line as first, {columns} from {single}
            union all select person, first, {columns} from import_merged"""
        )
    )
    facts = ", ".join(SCHOOLING)
    session.execute(
        text(
            f"""create temporary view import_schooling as
            select m.person, school_id, {facts} from {single} and school_id is not null
            union all select person, school_id, {facts} from import_merged_schooling"""
        )
    )


def _last(name: str) -> str:
    return f"(array_agg(r.{name} order by r.line desc) filter (where r.{name} is not null))[1]"


def _merged(name: str, kind: str) -> str:
    if kind == "boolean":
        return f"bool_or(r.{name})"
    if name in {"ways", "subjects"}:
        return f"string_agg(r.{name}, ',')"
    if name == "custom":
        return _merged_custom()
    return _last(name)


def _merged_custom() -> str:
    """Objects of all lines in one, the last line's words on top."""
    return """(select jsonb_object_agg(pair.key, pair.value order by nested.ordinality)
        from unnest(array_agg(r.custom order by r.line) filter (where r.custom is not null))
            with ordinality nested(object, ordinality), jsonb_each(nested.object) pair)"""
