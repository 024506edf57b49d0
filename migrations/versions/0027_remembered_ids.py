"""Keep with a remembered line the id that its fate tells."""

import sqlalchemy as sa
from alembic import op

revision = "0027_remembered_ids"
down_revision = "0026_rehearsals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("remembered_line", sa.Column("external_id", sa.String(), nullable=True))
    # They were digested in another way, so that none of them would be known again.
    op.execute("truncate remembered_line, remembered_file")


def downgrade() -> None:
    op.execute("truncate remembered_line, remembered_file")
    op.drop_column("remembered_line", "external_id")
