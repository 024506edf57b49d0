"""Clearance as a district's own: more levels, trainings, and people on their way to one."""

import sqlalchemy as sa
from alembic import op

revision = "0032_clearance_policy"
down_revision = "0031_mentoring"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def _levels(most: int) -> None:
    op.drop_constraint("level", "clearance", type_="check")
    op.create_check_constraint("level", "clearance", f"level between 1 and {most}")


def upgrade() -> None:
    _levels(5)
    op.add_column("clearance", sa.Column("trained_on", sa.Date(), nullable=True))
    op.add_column("commitment", sa.Column("clear_by", sa.Date(), nullable=True))
    op.create_table(
        "clearance_case",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=True),
        sa.Column("way_key", sa.String(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_how", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_clearance_case_alumnus_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_clearance_case_school_id")
        ),
        sa.ForeignKeyConstraint(["way_key"], ["way.key"], name=op.f("fk_clearance_case_way_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clearance_case")),
    )
    op.create_index(
        "uq_clearance_case_open", "clearance_case", ["alumnus_id", "level"], unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )  # fmt: skip
    op.create_index(
        "ix_clearance_case_due", "clearance_case", ["due_on"],
        postgresql_where=sa.text("ended_at is null"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("clearance_case")
    # Whoever was being cleared holds nothing yet: their place is given back.
    op.execute("update commitment set state = 'cancelled' where state = 'clearing'")
    op.drop_column("commitment", "clear_by")
    op.drop_column("clearance", "trained_on")
    op.execute("update clearance set level = 3 where level > 3")
    _levels(3)
