"""What lets people in as it happens, who is kept aside, and what becomes of older versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025_entries"
down_revision = "0024_windows"
branch_labels = None
depends_on = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("journey_version", sa.Column("events_from", MOMENT, nullable=True))
    op.add_column("journey_version", sa.Column("takeover", JSONB(), nullable=True))
    op.add_column("enrollment", sa.Column("arm", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("enrollment", "arm")
    op.drop_column("journey_version", "takeover")
    op.drop_column("journey_version", "events_from")
