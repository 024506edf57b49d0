"""Keep what the drift watch found with each model, and the trainings that were asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033_model_watch"
down_revision = "0032_clearance_policy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("propensity_model", sa.Column("drift", postgresql.JSONB(), nullable=True))
    op.create_table(
        "model_training",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("way_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("model_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["propensity_model.id"], name=op.f("fk_model_training_model_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_training")),
    )


def downgrade() -> None:
    op.drop_table("model_training")
    op.drop_column("propensity_model", "drift")
