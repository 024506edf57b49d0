"""When each state of a request began and is due; being thanked becomes a state of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0028_request_life"
down_revision = "0027_remembered_ids"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)
COLUMNS = ("due_at", "warn_at", "alarmed_at", "filled_at")

# The district's defaults of the day on which this was written: days in a state, days before the
# first date. Whoever chooses others has every due time counted again.
DUE = """
update request r set due_at = case r.state
    when 'filled' then d.last + interval '3 days'
    when 'done' then r.since + interval '5 days'
    else least(r.since + t.days * interval '1 day', case
        when d.first - t.before * interval '1 day' > r.since
            then d.first - t.before * interval '1 day'
        when d.first > r.since then r.since + (d.first - r.since) / 2
        else r.since end)
    end
from (values ('draft', 7, 14), ('submitted', 2, 12), ('approved', 2, 10), ('asking', 14, 5),
    ('filled', 3, 0), ('done', 5, 0)) t (state, days, before), (
    select request_id, min(starts_at) as first, max(ends_at) as last from request_date
    group by request_id) d
where t.state = r.state and d.request_id = r.id
"""


def upgrade() -> None:
    op.add_column("request", sa.Column("since", MOMENT, nullable=True))
    for name in COLUMNS:
        op.add_column("request", sa.Column(name, MOMENT, nullable=True))
    op.execute(
        """update request r set since = coalesce(
            case when r.state in ('done', 'unfilled', 'cancelled') then r.closed_at end,
            case when r.state = 'filled' then q.filled end,
            case when r.state not in ('draft', 'submitted') then r.approved_at end, r.created_at),
            filled_at = case when r.state in ('filled', 'done') then q.filled end
        from (select r.id, max(c.created_at) as filled from request r left join commitment c
            on c.request_id = r.id and c.state <> 'cancelled' group by r.id) q
        where q.id = r.id"""
    )
    op.execute(
        """update request r set state = 'thanked' where state = 'done' and not exists (
            select 1 from commitment c where c.request_id = r.id and c.state = 'attended'
            and c.thanked_at is null)"""
    )
    op.execute(DUE)
    op.execute(
        """update request set
            warn_at = due_at - least(interval '1 day', greatest((due_at - since) / 2, '0'))"""
    )
    # Nobody is sent an alarm for each request of years ago on the day of the upgrade.
    op.execute("update request set alarmed_at = now() where warn_at <= now()")
    op.alter_column("request", "since", nullable=False)
    op.create_index(
        "ix_request_warn", "request", ["warn_at"], postgresql_where=sa.text("alarmed_at is null")
    )


def downgrade() -> None:
    op.execute("update request set state = 'done' where state = 'thanked'")
    op.drop_index("ix_request_warn", "request")
    for name in ("since", *COLUMNS):
        op.drop_column("request", name)
