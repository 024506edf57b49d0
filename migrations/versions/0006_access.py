"""Keep second factors, what a district lets each role do, and looks at contact data."""

import sqlalchemy as sa
from alembic import op

revision = "0006_access"
down_revision = "0005_duplicates"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "role_permission",
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("permission", sa.String(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("role", "permission", name=op.f("pk_role_permission")),
    )
    op.create_table(
        "second_factor",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["staff_user.id"], name=op.f("fk_second_factor_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["staff_user.id"], name=op.f("fk_recovery_code_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_user_id"), "recovery_code", ["user_id"])
    op.add_column("staff_user", sa.Column("factor_asked_at", MOMENT, nullable=True))
    op.add_column("staff_session", sa.Column("factor_at", MOMENT, nullable=True))
    op.add_column(
        "staff_session", sa.Column("half", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.alter_column("staff_session", "half", server_default=None)
    op.create_index(op.f("ix_audit_entry_user_id_id"), "audit_entry", ["user_id", "id"])
    op.create_index(op.f("ix_audit_entry_action_id"), "audit_entry", ["action", "id"])
    op.create_index(
        "uq_audit_entry_look", "audit_entry",
        ["user_id", "object_id", sa.text("date_trunc('hour', timezone('UTC', at))")],
        unique=True, postgresql_where=sa.text("action = 'alumnus.looked'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("uq_audit_entry_look", "audit_entry")
    op.drop_index(op.f("ix_audit_entry_action_id"), "audit_entry")
    op.drop_index(op.f("ix_audit_entry_user_id_id"), "audit_entry")
    op.drop_column("staff_session", "half")
    op.drop_column("staff_session", "factor_at")
    op.drop_column("staff_user", "factor_asked_at")
    op.drop_table("recovery_code")
    op.drop_table("second_factor")
    op.drop_table("role_permission")
