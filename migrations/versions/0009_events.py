"""Keep events and each person's invitation to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009_events"
down_revision = "0008_bulk"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=True),
        sa.Column("cluster_id", sa.BigInteger(), nullable=True),
        sa.Column("texts", postgresql.JSONB(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("virtual_address", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("answer_by", MOMENT, nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("guests_allowed", sa.Integer(), nullable=False),
        sa.Column("reminders", postgresql.JSONB(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("audience", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "school_id is null or cluster_id is null", name=op.f("ck_event_one_place")
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_event_ends_after_start")),
        sa.CheckConstraint("capacity > 0 and guests_allowed >= 0", name=op.f("ck_event_sizes")),
        sa.ForeignKeyConstraint(["school_id"], ["school.id"], name=op.f("fk_event_school_id")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_event_cluster_id")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff_user.id"], name=op.f("fk_event_created_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("key", name=op.f("uq_event_key")),
    )
    op.create_index(op.f("ix_event_starts_at_id"), "event", ["starts_at", "id"])
    for place in ("school_id", "cluster_id"):
        op.create_index(
            op.f(f"ix_event_{place}"), "event", [place],
            postgresql_where=sa.text(f"{place} is not null"),
        )  # fmt: skip
    op.create_table(
        "event_invitation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("invited_at", MOMENT, nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("in_line_since", MOMENT, nullable=True),
        sa.Column("placed_at", MOMENT, nullable=True),
        sa.Column("guests", sa.Integer(), nullable=False),
        sa.Column("guest_names", sa.String(), nullable=False),
        sa.Column("needs", sa.String(), nullable=False),
        sa.Column("came_at", MOMENT, nullable=True),
        sa.Column("came_guests", sa.Integer(), nullable=False),
        sa.Column("checked_in_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "guests >= 0 and came_guests >= 0", name=op.f("ck_event_invitation_guests")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event.id"], name=op.f("fk_event_invitation_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_event_invitation_alumnus_id")
        ),
        sa.ForeignKeyConstraint(
            ["checked_in_by"], ["staff_user.id"], name=op.f("fk_event_invitation_checked_in_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_invitation")),
        sa.UniqueConstraint(
            "event_id", "alumnus_id", name=op.f("uq_event_invitation_event_id_alumnus_id")
        ),
    )
    op.create_index(op.f("ix_event_invitation_alumnus_id"), "event_invitation", ["alumnus_id"])
    op.create_index(
        op.f("ix_event_invitation_event_id_answer"), "event_invitation", ["event_id", "answer"]
    )
    op.create_index(
        "ix_event_invitation_came", "event_invitation", ["event_id"],
        postgresql_where=sa.text("came_at is not null"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("event_invitation")
    op.drop_table("event")
