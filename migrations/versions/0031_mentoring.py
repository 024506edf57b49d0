"""Mentoring: pairs, what their mentors are asked, how many pupils a mentor takes."""

import sqlalchemy as sa
from alembic import op

revision = "0031_mentoring"
down_revision = "0030_time_given"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    op.add_column("request", sa.Column("weeks", sa.Integer(), nullable=True))
    op.create_check_constraint("weeks", "request", "weeks between 1 and 104")
    op.create_table(
        "mentor_pair",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("ask_id", sa.BigInteger(), nullable=True),
        sa.Column("mentee", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("hours", sa.Numeric(8, 2), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("ends_on > starts_on", name=op.f("ck_mentor_pair_span")),
        _key("mentor_pair", "alumnus_id", "alumnus"),
        _key("mentor_pair", "school_id", "school"),
        _key("mentor_pair", "request_id", "request"),
        _key("mentor_pair", "ask_id", "ask"),
        _key("mentor_pair", "created_by", "staff_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_pair")),
        sa.UniqueConstraint("ask_id", name=op.f("uq_mentor_pair_ask_id")),
    )
    op.create_index("ix_mentor_pair_alumnus_id_state", "mentor_pair", ["alumnus_id", "state"])
    op.create_index("ix_mentor_pair_school_id_state", "mentor_pair", ["school_id", "state"])
    op.create_index(
        "ix_mentor_pair_active", "mentor_pair", ["ends_on"],
        postgresql_where=sa.text("state = 'active'"),
    )  # fmt: skip
    op.create_table(
        "mentor_checkin",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("pair_id", sa.BigInteger(), nullable=False),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("hours", sa.Numeric(8, 2), nullable=True),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("missed_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("settled_by", sa.BigInteger(), nullable=True),
        _key("mentor_checkin", "pair_id", "mentor_pair"),
        _key("mentor_checkin", "alumnus_id", "alumnus"),
        _key("mentor_checkin", "settled_by", "staff_user"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_checkin")),
        sa.UniqueConstraint("pair_id", "number", name=op.f("uq_mentor_checkin_pair_id_number")),
    )
    _checkin_indexes()
    op.create_table(
        "mentor_capacity",
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.CheckConstraint("most between 0 and 20", name=op.f("ck_mentor_capacity_most")),
        _key("mentor_capacity", "alumnus_id", "alumnus"),
        sa.PrimaryKeyConstraint("alumnus_id", name=op.f("pk_mentor_capacity")),
    )


def _checkin_indexes() -> None:
    op.create_index("ix_mentor_checkin_alumnus_id", "mentor_checkin", ["alumnus_id"])
    op.create_index(
        "ix_mentor_checkin_due", "mentor_checkin", ["due_on"],
        postgresql_where=sa.text("sent_at is null"),
    )  # fmt: skip
    op.create_index(
        "ix_mentor_checkin_waiting", "mentor_checkin", ["sent_at"],
        postgresql_where=sa.text("answered_at is null and missed_at is null"),
    )  # fmt: skip
    op.create_index(
        "ix_mentor_checkin_missed", "mentor_checkin", ["pair_id"],
        postgresql_where=sa.text("missed_at is not null and settled_at is null"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("mentor_capacity")
    op.drop_table("mentor_checkin")
    op.drop_table("mentor_pair")
    op.drop_constraint("weeks", "request", type_="check")
    op.drop_column("request", "weeks")
