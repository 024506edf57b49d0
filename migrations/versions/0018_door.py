"""Keep what is posted at the public door until it is confirmed, posters, and lost classmates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018_door"
down_revision = "0017_touching_words"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "join_pending",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("wish", JSONB(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("mailed_at", MOMENT, nullable=True),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.Column("alumnus_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_join_pending_alumnus_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_pending")),
    )
    op.create_index("uq_join_pending_token_hash", "join_pending", ["token_hash"], unique=True)
    op.create_index("ix_join_pending_email_key", "join_pending", ["email_key"])
    op.create_index("ix_join_pending_expires_at", "join_pending", ["expires_at"])
    op.create_index(
        "ix_join_pending_new", "join_pending", ["created_at"],
        postgresql_where=sa.text("mailed_at is null"),
    )  # fmt: skip
    op.create_table(
        "school_code",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_school_code_school_id")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_school_code")),
    )
    op.create_index(
        "uq_school_code_school_id", "school_code", ["school_id"], unique=True,
        postgresql_where=sa.text("retired_at is null"),
    )  # fmt: skip
    _classmates()


def _classmates() -> None:
    op.create_table(
        "classmate_note",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("school_id", sa.BigInteger(), nullable=True),
        sa.Column("class_year", sa.BigInteger(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("hint", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["school_id"], ["school.id"], name=op.f("fk_classmate_note_school_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_classmate_note")),
    )
    op.create_index(
        "ix_classmate_note_state_created_at_id", "classmate_note", ["state", "created_at", "id"]
    )
    op.create_table(
        "classmate_invited",
        sa.Column("address_hash", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_classmate_invited")),
    )


def downgrade() -> None:
    for table in ("classmate_invited", "classmate_note", "school_code", "join_pending"):
        op.drop_table(table)
