"""Keep the provider's events in one part for each month, told by the event's own moment.

One transaction, and nobody writes meanwhile: the rows are copied part by part, then indexed. See docs/adr.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029_delivery_months"
down_revision = "0028_request_life"
branch_labels = None
depends_on = None
TABLE, BEFORE = "delivery_event", "delivery_event_before"
NAMES = ["id", "dedupe_key", "message_id", "attempt", "kind", "at", "machine", "payload", "received_at"]
COPY = f"insert into {TABLE} ({', '.join(NAMES)}) select {', '.join(NAMES)} from {BEFORE} order by at"
# Moments that make no sense get no month of their own.
MONTHS = f"""select distinct cast(date_trunc('month', at at time zone 'UTC') as date) as first
    from {BEFORE}, (select min(received_at) - interval '20 years' as low,
                           max(received_at) + interval '3 months' as high from {BEFORE}) known
    where at between low and high order by 1"""


def columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("machine", sa.Boolean(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    ]


def set_aside() -> None:
    """Free the names: the old rows need no index to be read once, in order of time."""
    op.rename_table(TABLE, BEFORE)
    op.execute(f"alter table {BEFORE} drop constraint pk_{TABLE} cascade")
    op.execute(f"alter sequence {TABLE}_id_seq rename to {BEFORE}_id_seq")
    op.drop_index(f"ix_{TABLE}_message_id_at", BEFORE)


def go_on() -> None:
    """Count on from where the old table stood, and let go of it."""
    op.execute(
        f"select setval(pg_get_serial_sequence('{TABLE}', 'id'), greatest(1, (select max(id) from {BEFORE})), "
        f"exists (select from {BEFORE}))"
    )
    op.drop_table(BEFORE)
    op.create_index(f"ix_{TABLE}_message_id_at", TABLE, ["message_id", "at"])
    op.execute(f"analyze {TABLE}")


def upgrade() -> None:
    set_aside()
    op.drop_constraint(f"uq_{TABLE}_dedupe_key", BEFORE)
    op.create_table(TABLE, *columns(), postgresql_partition_by="RANGE (at)")
    op.execute(f"create table {TABLE}_rest partition of {TABLE} default")
    for first in op.get_bind().execute(sa.text(MONTHS)).scalars().all():
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        op.execute(
            f"create table {TABLE}_{first:%Y_%m} partition of {TABLE} "
            f"for values from ('{first} 00:00:00+00') to ('{after} 00:00:00+00')"
        )
    op.execute(COPY)
    op.create_primary_key(f"pk_{TABLE}", TABLE, ["id", "at"])
    op.create_unique_constraint(f"uq_{TABLE}_dedupe_key_at", TABLE, ["dedupe_key", "at"])
    go_on()


def downgrade() -> None:
    set_aside()
    op.drop_constraint(f"uq_{TABLE}_dedupe_key_at", BEFORE)
    op.create_table(TABLE, *columns())
    op.execute(COPY)
    op.create_primary_key(f"pk_{TABLE}", TABLE, ["id"])
    op.create_unique_constraint(f"uq_{TABLE}_dedupe_key", TABLE, ["dedupe_key"])
    go_on()
