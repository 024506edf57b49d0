"""Answer what people did, and when, from indices on interactions alone."""

from alembic import op

revision = "0021_interaction_cover"
down_revision = "0020_entered_by_hand"
branch_labels = None
depends_on = None

TABLE = "interaction"
BY_KIND, BY_PERSON = ["kind", "alumnus_id", "occurred_at"], ["alumnus_id", "occurred_at"]


def upgrade() -> None:
    op.drop_index("ix_interaction_kind_occurred_at", TABLE)
    op.drop_index("ix_interaction_alumnus_id_occurred_at", TABLE)
    for columns in (BY_KIND, BY_PERSON):
        name = "_".join(["ix_interaction", *columns])
        op.create_index(op.f(name), TABLE, columns, postgresql_include=["machine"])


def downgrade() -> None:
    op.drop_index("ix_interaction_kind_alumnus_id_occurred_at", TABLE)
    op.drop_index("ix_interaction_alumnus_id_occurred_at", TABLE)
    for columns in (["kind", "occurred_at"], BY_PERSON):
        op.create_index(op.f("_".join(["ix_interaction", *columns])), TABLE, columns)
