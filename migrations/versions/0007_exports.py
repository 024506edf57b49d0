"""Keep who takes which people out of the house, and who agreed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_exports"
down_revision = "0006_access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "export_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("columns", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("blocked", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("agreed", sa.Integer(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", moment, nullable=True),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("wall", sa.String(), nullable=False),
        sa.Column("stored_as", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("made_at", moment, nullable=True),
        sa.Column("kept_until", moment, nullable=True),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_export_run_two_people")),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["staff_user.id"], name=op.f("fk_export_run_asked_by")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff_user.id"], name=op.f("fk_export_run_decided_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_run")),
    )
    op.create_index(op.f("ix_export_run_asked_by_asked_at"), "export_run", ["asked_by", "asked_at"])
    op.create_index(op.f("ix_export_run_state"), "export_run", ["state"])
    op.create_table(
        "export_person",
        sa.Column("export_id", sa.BigInteger(), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["export_run.id"], name=op.f("fk_export_person_export_id")
        ),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_export_person_alumnus_id")
        ),
        sa.PrimaryKeyConstraint("export_id", "alumnus_id", name=op.f("pk_export_person")),
    )
    op.create_index(op.f("ix_export_person_alumnus_id"), "export_person", ["alumnus_id"])


def downgrade() -> None:
    op.drop_table("export_person")
    op.drop_table("export_run")
