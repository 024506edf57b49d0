"""Tasks that journeys give to staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022_tasks"
down_revision = "0021_interaction_cover"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "staff_task",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("given_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.Column("done_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey.id"], name=op.f("fk_staff_task_journey_id")
        ),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_staff_task_alumnus_id")
        ),
        sa.ForeignKeyConstraint(
            ["done_by"], ["staff_user.id"], name=op.f("fk_staff_task_done_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_task")),
        sa.UniqueConstraint("enrollment_id", "seq", name=op.f("uq_staff_task_enrollment_id_seq")),
    )
    op.create_index("ix_staff_task_alumnus_id", "staff_task", ["alumnus_id"])
    op.create_index(
        "ix_staff_task_open", "staff_task", ["due_at", "id"],
        postgresql_where=sa.text("done_at is null"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("staff_task")
