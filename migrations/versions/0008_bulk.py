"""Keep changes to many people, each person with the fact before and after."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008_bulk"
down_revision = "0007_exports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment, jsonb = sa.DateTime(timezone=True), postgresql.JSONB()
    op.create_table(
        "bulk_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("options", jsonb, nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("chosen", jsonb, nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("totals", jsonb, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("works_for", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", moment, nullable=False),
        sa.Column("applied_at", moment, nullable=True),
        sa.Column("undone_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["asked_by"], ["staff_user.id"], name=op.f("fk_bulk_run_asked_by")),
        sa.ForeignKeyConstraint(
            ["works_for"], ["staff_user.id"], name=op.f("fk_bulk_run_works_for")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_run")),
    )
    op.create_index(op.f("ix_bulk_run_asked_by"), "bulk_run", ["asked_by"])
    op.create_table(
        "bulk_line",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("fate", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("before", jsonb, nullable=True),
        sa.Column("after", jsonb, nullable=True),
        sa.Column("seen_at", moment, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["bulk_run.id"], name=op.f("fk_bulk_line_run_id")),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_bulk_line_alumnus_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "alumnus_id", name=op.f("pk_bulk_line")),
    )
    op.create_index(
        op.f("ix_bulk_line_run_id_fate_alumnus_id"), "bulk_line", ["run_id", "fate", "alumnus_id"]
    )
    op.create_index(op.f("ix_bulk_line_alumnus_id"), "bulk_line", ["alumnus_id"])


def downgrade() -> None:
    op.drop_table("bulk_line")
    op.drop_table("bulk_run")
