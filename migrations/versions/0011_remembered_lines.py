"""Remember lines that changed nothing, and who was touched since by anybody."""

import sqlalchemy as sa
from alembic import op

revision = "0011_remembered_lines"
down_revision = "0010_bulk_writes"
branch_labels = None
depends_on = None

# What a line is compared with: table → the column that names the person.
COMPARED = {
    "alumnus": "id",
    "external_id": "alumnus_id",
    "schooling": "alumnus_id",
    "contact_point": "alumnus_id",
    "interest": "alumnus_id",
}
# Nobody remembers anything yet of a person whom this transaction makes.
FUNCTION = """
create function touch_{table}() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into person_touch (alumnus_id) select distinct {column} from old_rows;
    elsif tg_op = 'UPDATE' then
        insert into person_touch (alumnus_id)
            select {column} from new_rows union select {column} from old_rows;
    elsif coalesce(current_setting('homecoming.newcomers', true), '') <> 'yes' then
        insert into person_touch (alumnus_id) select distinct {column} from new_rows;
    end if;
    return null;
end $$
"""
TRIGGERS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing new table as new_rows old table as old_rows",
    "delete": "referencing old table as old_rows",
}


def upgrade() -> None:
    op.create_table(
        "remembered_file",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("columns", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("school_domains", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("snapshot", sa.String(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("last_touch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remembered_file")),
        sa.UniqueConstraint("columns", name=op.f("uq_remembered_file_columns")),
    )
    op.create_table(
        "remembered_line",
        sa.Column("alumnus_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("file_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("alumnus_id", "file_id", name=op.f("pk_remembered_line")),
    )
    op.create_table(
        "person_touch",
        sa.Column("alumnus_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "xid", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("alumnus_id", "id", name=op.f("pk_person_touch")),
    )  # fmt: skip
    for table, column in COMPARED.items():
        op.execute(FUNCTION.format(table=table, column=column))
        for verb, tables in TRIGGERS.items():
            if (table, verb) != ("alumnus", "insert"):
                op.execute(
                    f"create trigger {table}_{verb}_touched after {verb} on {table} {tables} "
                    f"for each statement execute function touch_{table}()"
                )


def downgrade() -> None:
    for table in COMPARED:
        for verb in TRIGGERS:
            op.execute(f"drop trigger if exists {table}_{verb}_touched on {table}")
        op.execute(f"drop function touch_{table}()")
    for table in ("person_touch", "remembered_line", "remembered_file"):
        op.drop_table(table)
