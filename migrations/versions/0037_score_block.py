"""Keep chances in blocks of people who stand next to each other, instead of a row for each."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037_score_block"
down_revision = "0036_one_attendance"
branch_labels = None
depends_on = None
SIZE = 128
IN = f"""insert into score_block (way_key, no, model_id, at, chances)
    select b.way_key, b.no, b.model_id, b.at,
        array_agg(coalesce(s.probability, 'NaN') order by place.n)
    from (select way_key, alumnus_id / {SIZE} as no, max(model_id) as model_id, max(at) as at
          from score group by 1, 2) b
        cross join generate_series(0, {SIZE - 1}) place (n)
        left join score s on s.way_key = b.way_key and s.model_id = b.model_id
            and s.alumnus_id = b.no * {SIZE} + place.n
    group by b.way_key, b.no, b.model_id, b.at"""
OUT = f"""insert into score (alumnus_id, way_key, model_id, probability, reasons, at)
    select a.id, b.way_key, b.model_id, each.chance, '[]', b.at
    from score_block b, unnest(b.chances) with ordinality each (chance, n), alumnus a
    where each.chance <> 'NaN' and a.id = b.no * {SIZE} + each.n - 1"""


def upgrade() -> None:
    op.create_table(
        "score_block",
        sa.Column("way_key", sa.String(), nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("chances", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["propensity_model.id"], name=op.f("fk_score_block_model_id")
        ),
        sa.PrimaryKeyConstraint("way_key", "no", name=op.f("pk_score_block")),
    )
    op.execute(IN)
    op.drop_table("score")


def downgrade() -> None:
    op.create_table(
        "score",
        sa.Column("alumnus_id", sa.BigInteger(), nullable=False),
        sa.Column("way_key", sa.String(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alumnus_id"], ["alumnus.id"], name=op.f("fk_score_alumnus_id")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["propensity_model.id"], name=op.f("fk_score_model_id")
        ),
        sa.PrimaryKeyConstraint("alumnus_id", "way_key", name=op.f("pk_score")),
    )
    op.execute(OUT)
    op.create_index(op.f("ix_score_way_key_probability"), "score", ["way_key", "probability"])
    op.drop_table("score_block")
