"""Says of every line what became of it, and why."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.models import Fate
from crm.imports.people.schema import Schema
from crm.imports.staging import drop_stages, fates_of


def note_fates(
    session: Session, schema: Schema, *, import_id: int, applied: bool, read: bool
) -> dict[str, int]:
    """Write the lines of an import anew; answers how many met each fate, all fates named.

    `read`: whether any line was read, and not only settled.
    """
    values: dict[str, Any] = {"id": import_id}
    session.execute(text("delete from import_line where import_id = :id"), values)
    if read:
        _note_read(session, schema, values, applied=applied)
    counts = {**{fate.value: 0 for fate in Fate}, **fates_of(session, import_id)}
    settled = session.execute(
        text(
            """insert into import_line (import_id, line, fate, external_id, alumnus_id)
            select :id, line, 'unchanged', external_id, alumnus_id from import_settled
            order by line"""
        ),
        values,
    )
    counts[Fate.UNCHANGED] += settled.rowcount  # type: ignore[attr-defined]
    return counts


def _note_read(session: Session, schema: Schema, values: dict[str, Any], *, applied: bool) -> None:
    """Write the lines that were read."""
    _gather_news(session)
    first_id = schema.id_column(schema.systems[0]) if schema.systems else "null::text"
    made = "left join import_created n on n.person = m.person" if applied else ""
    alumnus = "coalesce(n.id, m.person)" if applied else "m.person"
    session.execute(
        text(
            f"""insert into import_line
                (import_id, line, fate, reason, external_id, alumnus_id, changes)
            select :id, r.line,
                case when r.fate is not null then r.fate
                    when m.person is null then 'conflict'
                    when s.first <> r.line then 'skip'
                    when m.person < 0 then 'create'
                    when w.person is not null then 'update'
                    else 'unchanged' end,
                left(coalesce(r.reason, m.reason, case when s.first <> r.line then
                    'is about the same person as line ' || s.first || ' and was read with it' end,
                    r.note), 500),
                {first_id}, case when {alumnus} > 0 then {alumnus} end,
                case when s.first is null or s.first = r.line then w.changes end
            from import_row r left join import_match m using (line)
            left join import_several s on s.person = m.person
            left join import_news w on w.person = m.person {made}"""  # noqa: S608 - our own names
        ),
        values,
    )


def _gather_news(session: Session) -> None:
    """`import_news`: for each person we knew, everything that the file changes, as JSON."""
    drop_stages(session, ["import_news"])
    session.execute(
        text(
            """create temporary table import_news on commit drop as
            select person, jsonb_object_agg(key, value) as changes from (
                select person, 'fields' as key, changes as value from import_changed
                union all select person, 'ids',
                        jsonb_agg(system || ':' || value order by system, value)
                    from import_new_id group by person
                union all select person, 'contacts',
                        jsonb_agg(jsonb_build_object('kind', kind, 'key', key, 'owner', owner)
                            order by kind, key)
                    from import_new_contact group by person
                union all select person, 'schoolings',
                        jsonb_agg(jsonb_build_object('school_id', school_id, 'new', old is null,
                            'was', was, 'now', jsonb_strip_nulls(jsonb_build_object(
                                'class_year', class_year, 'status', status, 'left_on', left_on,
                                'credential', credential))) order by school_id)
                    from import_new_schooling group by person
                union all select person, 'interests',
                        jsonb_agg(kind || ':' || key order by kind, key)
                    from import_new_interest group by person
                union all select person, 'opted_out', 'true'::jsonb
                    from import_withdrawal where person > 0
                union all select person, 'suppressed', jsonb_agg(distinct key)
                    from import_suppression where person > 0 group by person
            ) news group by person"""
        )
    )
