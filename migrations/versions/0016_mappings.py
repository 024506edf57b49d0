"""Remember how files are read, type custom fields, and say which part of an import is under way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016_mappings"
down_revision = "0015_words_of_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_mapping",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("header", postgresql.JSONB(), nullable=False),
        sa.Column("layout", sa.String(), nullable=False),
        sa.Column("directions", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff_user.id"], name=op.f("fk_import_mapping_created_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_mapping")),
        sa.UniqueConstraint(
            "fingerprint", "name", name=op.f("uq_import_mapping_fingerprint_name")
        ),
    )
    op.add_column(
        "custom_field", sa.Column("kind", sa.String(), nullable=False, server_default="text")
    )
    op.alter_column("custom_field", "kind", server_default=None)
    op.add_column("import_run", sa.Column("phase", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("import_run", "phase")
    op.drop_column("custom_field", "kind")
    op.drop_table("import_mapping")
