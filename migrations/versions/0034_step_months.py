"""Keep the steps people took in one part for each month in which they entered.

One transaction, and nobody writes meanwhile: the rows are copied part by part, then indexed. See docs/adr.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034_step_months"
down_revision = "0033_model_watch"
branch_labels = None
depends_on = None
TABLE, BEFORE = "step_run", "step_run_before"
# Of an enrollment that is gone, the day of the step itself.
DAY = "cast(timezone('UTC', coalesce(e.entered_at, r.at)) as date)"
ROWS = f"from {BEFORE} r left join enrollment e on e.id = r.enrollment_id"
MONTHS = f"select distinct cast(date_trunc('month', {DAY}) as date) {ROWS} order by 1"
IN = f"""insert into {TABLE} (enrollment_id, seq, entered_on, step_no, outcome, reason, at)
    select r.enrollment_id, r.seq, {DAY}, r.step_no, r.outcome, r.reason, r.at {ROWS} order by 3, 1, 2"""
OUT = f"""insert into {TABLE} (enrollment_id, seq, step_no, outcome, reason, at)
    select enrollment_id, seq, step_no, outcome, reason, at from {BEFORE} order by 1, 2"""


def columns() -> list[sa.Column]:
    return [
        sa.Column("enrollment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("step_no", sa.SmallInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    ]


def set_aside() -> None:
    op.rename_table(TABLE, BEFORE)
    op.execute(f"alter table {BEFORE} drop constraint pk_{TABLE} cascade")


def upgrade() -> None:
    set_aside()
    op.create_table(TABLE, *columns(), postgresql_partition_by="RANGE (entered_on)")
    op.execute(f"create table {TABLE}_rest partition of {TABLE} default")
    for first in op.get_bind().execute(sa.text(MONTHS)).scalars().all():
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        op.execute(
            f"create table {TABLE}_{first:%Y_%m} partition of {TABLE} for values from ('{first}') to ('{after}')"
        )
    op.execute(IN)
    op.create_primary_key(f"pk_{TABLE}", TABLE, ["enrollment_id", "seq", "entered_on"])
    op.drop_table(BEFORE)
    op.execute(f"analyze {TABLE}")


def downgrade() -> None:
    set_aside()
    op.create_table(TABLE, *(column for column in columns() if column.name != "entered_on"))
    op.execute(OUT)
    op.create_primary_key(f"pk_{TABLE}", TABLE, ["enrollment_id", "seq"])
    op.drop_table(BEFORE)
    op.execute(f"analyze {TABLE}")
