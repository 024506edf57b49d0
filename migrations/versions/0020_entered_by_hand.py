"""Remember which bulk change let somebody into a journey past its entry query."""

import sqlalchemy as sa
from alembic import op

revision = "0020_entered_by_hand"
down_revision = "0019_text_words"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("enrollment", sa.Column("origin", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("enrollment", "origin")
