"""Keep passes over people with their weights, and which import brought a likely duplicate."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013_duplicate_passes"
down_revision = "0012_rights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "duplicate_pass",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("model", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_pass")),
    )
    op.add_column("duplicate_pair", sa.Column("import_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "duplicate_pair", sa.Column("note", sa.String(), nullable=False, server_default="")
    )
    op.alter_column("duplicate_pair", "note", server_default=None)
    op.create_index(
        "ix_duplicate_pair_import_id", "duplicate_pair", ["import_id"],
        postgresql_where=sa.text("import_id is not null"),
    )  # fmt: skip
    op.create_index(
        "ix_duplicate_pair_decided", "duplicate_pair", ["probability"],
        postgresql_where=sa.text("state <> 'open'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_duplicate_pair_decided", table_name="duplicate_pair")
    op.drop_index("ix_duplicate_pair_import_id", table_name="duplicate_pair")
    op.drop_column("duplicate_pair", "note")
    op.drop_column("duplicate_pair", "import_id")
    op.drop_table("duplicate_pass")
