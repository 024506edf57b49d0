"""Keep rehearsals with the version that was rehearsed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026_rehearsals"
down_revision = "0025_entries"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rehearsal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journey_key", sa.String(), nullable=True),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("draft", sa.String(), nullable=True),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"], ["journey_version.id"], name=op.f("fk_rehearsal_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["staff_user.id"], name=op.f("fk_rehearsal_asked_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rehearsal")),
    )
    op.create_index("ix_rehearsal_journey_key_id", "rehearsal", ["journey_key", "id"])


def downgrade() -> None:
    op.drop_table("rehearsal")
