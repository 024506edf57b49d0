"""Keep pairs of records that may be one person, and merges that can be taken back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_duplicates"
down_revision = "0004_words"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duplicate_pair",
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("second_id", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_duplicate_pair_ordered")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff_user.id"], name=op.f("fk_duplicate_pair_decided_by")
        ),
        sa.ForeignKeyConstraint(
            ["first_id"], ["alumnus.id"], name=op.f("fk_duplicate_pair_first_id"),
            ondelete="cascade",
        ),
        sa.ForeignKeyConstraint(
            ["second_id"], ["alumnus.id"], name=op.f("fk_duplicate_pair_second_id"),
            ondelete="cascade",
        ),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_duplicate_pair")),
    )  # fmt: skip
    op.create_index(
        "ix_duplicate_pair_open", "duplicate_pair", ["probability", "first_id", "second_id"],
        postgresql_where=sa.text("state = 'open'"),
    )  # fmt: skip
    op.create_index(op.f("ix_duplicate_pair_second_id"), "duplicate_pair", ["second_id"])
    op.create_table(
        "merge",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kept_id", sa.BigInteger(), nullable=False),
        sa.Column("gone_id", sa.BigInteger(), nullable=False),
        sa.Column("moved", postgresql.JSONB(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["by"], ["staff_user.id"], name=op.f("fk_merge_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge")),
    )
    op.create_index(op.f("ix_merge_gone_id"), "merge", ["gone_id"])
    op.create_index(op.f("ix_merge_kept_id"), "merge", ["kept_id"])


def downgrade() -> None:
    op.drop_table("merge")
    op.drop_table("duplicate_pair")
