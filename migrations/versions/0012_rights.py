"""Keep what a district chooses, what people ask of their data, and what was let go."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_rights"
down_revision = "0011_remembered_lines"
branch_labels = None
depends_on = None


def _moment(name, *, nullable=False):
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id():
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def upgrade() -> None:
    op.create_table(
        "district_setting",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        _moment("changed_at"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_district_setting")),
    )
    op.add_column(
        "topic", sa.Column("names", postgresql.JSONB(), nullable=False, server_default="{}")
    )
    op.alter_column("topic", "names", server_default=None)
    op.add_column("topic", _moment("retired_at", nullable=True))
    op.create_table(
        "data_request",
        _id(),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("contact_point_id", sa.BigInteger(), nullable=True),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _moment("asked_at"),
        _moment("expires_at"),
        _moment("confirmed_at", nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        _moment("ended_at", nullable=True),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_data_request_alumnus_id")
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["staff_user.id"], name=op.f("fk_data_request_ended_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
    )
    op.create_index(
        op.f("ix_data_request_alumnus_id_kind_asked_at"), "data_request",
        ["alumnus_id", "kind", "asked_at"],
    )  # fmt: skip
    op.create_index(
        "ix_data_request_open", "data_request", ["due_on", "id"],
        postgresql_where=sa.text("state = 'open'"),
    )  # fmt: skip
    op.create_table(
        "legal_hold",
        _id(),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        _moment("at"),
        sa.Column("by", sa.BigInteger(), nullable=True),
        _moment("released_at", nullable=True),
        sa.Column("released_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_legal_hold_alumnus_id")
        ),
        sa.ForeignKeyConstraint(["by"], ["staff_user.id"], name=op.f("fk_legal_hold_by")),
        sa.ForeignKeyConstraint(
            ["released_by"], ["staff_user.id"], name=op.f("fk_legal_hold_released_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index(
        "uq_legal_hold_standing", "legal_hold", ["alumnus_id"], unique=True,
        postgresql_where=sa.text("released_at is null"),
    )  # fmt: skip
    op.create_table(
        "retention_run",
        _id(),
        sa.Column("key", sa.String(), nullable=False),
        _moment("at"),
        _moment("cutoff"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_run")),
    )
    op.create_index(op.f("ix_retention_run_key_at"), "retention_run", ["key", "at"])


def downgrade() -> None:
    for table in ("retention_run", "legal_hold", "data_request"):
        op.drop_table(table)
    op.drop_column("topic", "retired_at")
    op.drop_column("topic", "names")
    op.drop_table("district_setting")
