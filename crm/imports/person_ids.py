"""Who the `person_id` of a staged line is, for all lines at once.

The same rule as `crm.alumni.queries.resolve_person`: `system:value`, a value that one system gave
to one person, or our own id; a merged record answers the one it was merged into.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.staging import drop_stages

FIND = """create temporary table import_person_id on commit drop as
with wanted as (
                select distinct person_id from {stage} where reason is null
            ), exact as (
                select w.person_id, e.alumnus_id
                from wanted w join external_id e
                    on e.system = split_part(w.person_id, ':', 1)
                    and e.value = substr(w.person_id, strpos(w.person_id, ':') + 1)
                where strpos(w.person_id, ':') > 0
            ), plain as (
                select w.person_id, e.alumnus_id from wanted w join external_id e
                    on e.value = w.person_id
                where not exists (select from exact x where x.person_id = w.person_id)
            ), named as (
                select * from exact union all select * from plain
            ), own as (
                select w.person_id, a.id as alumnus_id from wanted w join alumnus a
                    on a.id = case when w.person_id ~ '^[0-9]{{1,18}}$'
                        then cast(w.person_id as bigint) end
                where not exists (select from named n where n.person_id = w.person_id)
            )
            select f.person_id, min(coalesce(a.merged_into_id, a.id)) as low,
                max(coalesce(a.merged_into_id, a.id)) as high
            from (select * from named union all select * from own) f
            join alumnus a on a.id = f.alumnus_id group by f.person_id"""
NAME = """update {stage} s set
                alumnus_id = case when p.low = p.high then p.low end,
                reason = case when p.low is null then
                        'person_id: nobody has the id “' || left(s.person_id, 60) || '”'
                    when p.low <> p.high then
                        'person_id: several people have the id “' || left(s.person_id, 60)
                        || '”; write system:id' end
            from (select distinct person_id from {stage} where reason is null) w
            left join import_person_id p using (person_id)
            where s.person_id = w.person_id and s.reason is null"""


def resolve_people(session: Session, stage: str) -> None:
    """Fill `alumnus_id` of the stage from its `person_id`; sets `reason` where nobody is meant.

    The stage has columns line, reason, person_id, alumnus_id; lines with a reason are left alone.
    """
    drop_stages(session, ["import_person_id"])
    session.execute(text(FIND.format(stage=stage)))
    session.execute(text("analyze import_person_id"))
    session.execute(text(NAME.format(stage=stage)))
