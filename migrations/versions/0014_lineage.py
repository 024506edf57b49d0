"""Keep what became of schools: names, clusters, mergers, splits and closures with their days."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014_lineage"
down_revision = "0013_duplicate_passes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "school_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=True),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_school_change_school_id")
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["school.id"], name=op.f("fk_school_change_other_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_school_change")),
    )
    op.create_index(op.f("ix_school_change_school_id"), "school_change", ["school_id"])
    op.create_index(op.f("ix_school_change_other_id"), "school_change", ["other_id"])


def downgrade() -> None:
    op.drop_table("school_change")
