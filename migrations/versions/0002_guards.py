"""Write the change log by trigger and refuse to rewrite the consent ledger."""

from alembic import op

revision = "0002_guards"
down_revision = "0001_tables"
branch_labels = None
depends_on = None

# What the continuum and journeys derive from: table → column that names the person.
WATCHED = {
    "alumnus": "id",
    "schooling": "alumnus_id",
    "interaction": "alumnus_id",
    "interest": "alumnus_id",
    "consent_entry": "alumnus_id",
    "ask": "alumnus_id",
    "clearance": "alumnus_id",
}
FUNCTION = """
create function note_{table}_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into alumnus_change (alumnus_id) select distinct {column} from old_rows;
    elsif tg_op = 'UPDATE' then
        insert into alumnus_change (alumnus_id)
            select {column} from new_rows union select {column} from old_rows;
    else
        insert into alumnus_change (alumnus_id) select distinct {column} from new_rows;
    end if;
    return null;
end $$
"""
TRIGGERS = {
    "insert": "referencing new table as new_rows",
    "update": "referencing new table as new_rows old table as old_rows",
    "delete": "referencing old table as old_rows",
}
APPEND_ONLY = """
create function refuse_rewriting() returns trigger language plpgsql as $$
begin
    if current_setting('homecoming.erasing', true) = 'yes' and tg_op = 'DELETE' then
        return old;
    end if;
    raise exception 'the consent ledger is only ever added to';
end $$
"""


def upgrade() -> None:
    for table, column in WATCHED.items():
        op.execute(FUNCTION.format(table=table, column=column))
        for verb, tables in TRIGGERS.items():
            op.execute(
                f"create trigger {table}_{verb}_noted after {verb} on {table} {tables} "
                f"for each statement execute function note_{table}_change()"
            )
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger consent_entry_append_only before update or delete on consent_entry "
        "for each row execute function refuse_rewriting()"
    )


def downgrade() -> None:
    op.execute("drop trigger consent_entry_append_only on consent_entry")
    op.execute("drop function refuse_rewriting()")
    for table in WATCHED:
        for verb in TRIGGERS:
            op.execute(f"drop trigger {table}_{verb}_noted on {table}")
        op.execute(f"drop function note_{table}_change()")
