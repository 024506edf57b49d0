"""How often in a year a person wants to be asked, by their own word."""

import sqlalchemy as sa
from alembic import op

revision = "0035_ask_limit"
down_revision = "0034_step_months"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ask_limit",
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.CheckConstraint("most between 1 and 12", name=op.f("ck_ask_limit_most")),
        sa.ForeignKeyConstraint(
            ["alumnus_id"], ["alumnus.id"], name=op.f("fk_ask_limit_alumnus_id")
        ),
        sa.PrimaryKeyConstraint("alumnus_id", name=op.f("pk_ask_limit")),
    )


def downgrade() -> None:
    op.drop_table("ask_limit")
