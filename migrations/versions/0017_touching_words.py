"""Count a file's word on a person among what touches them, so that its line is read again."""

from alembic import op

revision = "0017_touching_words"
down_revision = "0016_mappings"
branch_labels = None
depends_on = None

FUNCTION = """
create function touch_file_word() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into person_touch (alumnus_id) select distinct alumnus_id from old_rows;
    elsif tg_op = 'UPDATE' then
        insert into person_touch (alumnus_id)
            select alumnus_id from new_rows union select alumnus_id from old_rows;
    else
        insert into person_touch (alumnus_id) select distinct alumnus_id from new_rows;
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
    op.execute(FUNCTION)
    for verb, tables in TRIGGERS.items():
        op.execute(
            f"create trigger file_word_{verb}_touched after {verb} on file_word {tables} "
            f"for each statement execute function touch_file_word()"
        )


def downgrade() -> None:
    for verb in TRIGGERS:
        op.execute(f"drop trigger file_word_{verb}_touched on file_word")
    op.execute("drop function touch_file_word()")
