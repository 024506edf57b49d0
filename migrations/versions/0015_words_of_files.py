"""Keep which line made a record, and what files say of a field for which we hold something else."""

import sqlalchemy as sa
from alembic import op

revision = "0015_words_of_files"
down_revision = "0014_lineage"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alumnus", sa.Column("made_by", sa.String(), nullable=True))
    op.add_column("alumnus", sa.Column("made_line", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_import_line_changed", "import_line", ["alumnus_id"],
        postgresql_where=sa.text("changes is not null"),
    )  # fmt: skip
    op.create_table(
        "file_word",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_file_word_alumnus_id")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_run.id"], name=op.f("fk_file_word_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_word")),
        sa.UniqueConstraint(
            "alumnus_id", "field", "import_id", name=op.f("uq_file_word_alumnus_id_field_import_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("file_word")
    op.drop_index("ix_import_line_changed", table_name="import_line")
    op.drop_column("alumnus", "made_line")
    op.drop_column("alumnus", "made_by")
