"""A break from one topic, up to a day, as an entry of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0023_topic_pauses"
down_revision = "0022_tasks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent_entry", sa.Column("until", sa.Date(), nullable=True))
    op.create_check_constraint(
        "until", "consent_entry", "until is null or state = 'paused'"
    )
    op.create_check_constraint(
        "paused_topic", "consent_entry", "topic_key is not null or state <> 'paused'"
    )


def downgrade() -> None:
    op.drop_constraint("paused_topic", "consent_entry", type_="check")
    op.drop_constraint("until", "consent_entry", type_="check")
    op.execute("set local homecoming.erasing = 'yes'")
    op.execute("delete from consent_entry where state = 'paused'")
    op.execute("set local homecoming.erasing = 'no'")
    op.drop_column("consent_entry", "until")
