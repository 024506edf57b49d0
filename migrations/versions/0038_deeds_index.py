"""An index of what people did beyond communication, in their order: everybody's features are read from it alone."""

import sqlalchemy as sa
from alembic import op

revision = "0038_deeds_index"
down_revision = "0037_score_block"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_interaction_deeds", "interaction", ["alumnus_id", "occurred_at"],
        postgresql_include=["kind", "mode", "hours", "amount"],
        postgresql_where=sa.text("mode <> 'communication' and not machine"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_interaction_deeds", "interaction")
