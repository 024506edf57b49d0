"""Hours of a message's own, and what it does where the contact budget is used up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024_windows"
down_revision = "0023_topic_pauses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("send_window", JSONB(), nullable=True))
    op.add_column("message", sa.Column("on_cap", sa.String(), nullable=True))
    op.create_index(
        "ix_message_capped", "message", ["alumnus_id"],
        postgresql_where=sa.text("on_cap = 'exit' and state = 'skipped'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_message_capped", table_name="message")
    op.drop_column("message", "on_cap")
    op.drop_column("message", "send_window")
