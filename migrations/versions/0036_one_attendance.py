"""One attendance of a person at an event, where records were merged before that was the rule.

A merge of today leaves the second attendance behind with the record that it belongs to, so that
taking the merge back returns it. What earlier merges moved is laid where they would lay it now.
"""

from alembic import op

revision = "0036_one_attendance"
down_revision = "0035_ask_limit"
branch_labels = None
depends_on = None

LEFT_BEHIND = """
    with twice as (
        select m.id as merge_id, m.gone_id, g.id from merge m
        join interaction g on g.alumnus_id = m.kept_id
            and m.moved -> 'interaction' @> to_jsonb(cast(g.id as text))
        where m.undone_at is null and g.kind = 'event_attended' and g.origin like 'event:%'
            and exists (
                select from interaction o where o.alumnus_id = m.kept_id and o.kind = g.kind
                    and o.origin = g.origin and o.id <> g.id
                    and not coalesce(m.moved -> 'interaction', '[]') @> to_jsonb(cast(o.id as text))
            )
    ), laid as (
        update interaction i set alumnus_id = t.gone_id from twice t where i.id = t.id
    )
    update merge m set moved = jsonb_set(m.moved, '{interaction}', (
        select coalesce(jsonb_agg(known.id), '[]')
        from jsonb_array_elements_text(m.moved -> 'interaction') known (id)
        where known.id not in (select cast(t.id as text) from twice t where t.merge_id = m.id)
    )) where m.id in (select merge_id from twice)
"""


def upgrade() -> None:
    op.execute(LEFT_BEHIND)


def downgrade() -> None:
    """Nothing: each attendance stands with a record that it was noted for."""
