"""Answer who gave time and when from an index of that alone: a twelfth of all interactions."""

import sqlalchemy as sa
from alembic import op

revision = "0030_time_given"
down_revision = "0029_delivery_months"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_interaction_given", "interaction", ["alumnus_id", "occurred_at"],
        postgresql_where=sa.text("mode = 'volunteer' and not machine"),
    )


def downgrade() -> None:
    op.drop_index("ix_interaction_given", "interaction")
