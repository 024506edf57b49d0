"""Check what bulk writes refer to in sets, mark new people once, and keep fewer index entries.

See docs/adr: a foreign key is checked and its parent locked row by row, which cost an import as much
as all its rows and indices. The same promise is kept here a statement at a time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010_bulk_writes"
down_revision = "0009_events"
branch_labels = None
depends_on = None

# (table, column, the table it names)
GUARDED = (
    ("external_id", "alumnus_id", "alumnus"),
    ("contact_point", "alumnus_id", "alumnus"),
    ("schooling", "alumnus_id", "alumnus"),
    ("schooling", "school_id", "school"),
    ("import_line", "import_id", "import_run"),
)
# Lines of an import are written by the transaction that holds their run's row, a million at a time:
# only the way of the parent is watched.
CHECKED = GUARDED[:-1]
# Functions keep their plans: whatever the first statement looked like, the next may be one row.
PLAN = "set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set jit = off"
FAULT = """raise foreign_key_violation using constraint = 'fk_{table}_{column}', table = '{table}',
            message = format('{table}.{column} names %s %s, which is not there', '{parent}', {value})"""
# A parent that another transaction made is locked against its deletion, as a foreign key does.
COMING = """
create function guard_{table}_{column}() returns trigger language plpgsql {plan} as $$
declare
    absent bigint;
    others bigint;
    kept bigint;
begin
    select min(n.{column}) filter (where p.id is null),
        count(*) filter (where p.xmin <> pg_current_xact_id()::xid) into absent, others
    from new_rows n left join {parent} p on p.id = n.{column};
    if absent is null and others > 0 then
        perform from new_rows n join {parent} p on p.id = n.{column}
        where p.xmin <> pg_current_xact_id()::xid for key share of p;
        get diagnostics kept = row_count;
        if kept < others then
            select min(n.{column}) into absent from new_rows n
            where not exists (select from {parent} p where p.id = n.{column});
        end if;
    end if;
    if absent is not null then
        {fault};
    end if;
    return null;
end $$
"""
MOVED = """
create function guard_{table}_{column}_moved() returns trigger language plpgsql as $$
begin
    perform from {parent} p where p.id = new.{column} for key share;
    if not found then
        {fault};
    end if;
    return null;
end $$
"""
GOING = """
create function guard_{parent}() returns trigger language plpgsql {plan} as $$
declare
    left_id bigint;
begin
    {tests}
    return null;
end $$
"""
GONE = """select min(o.id) into left_id from old_rows o
        where exists (select from {table} c where c.{column} = o.id);
    if left_id is not null then
        raise foreign_key_violation using constraint = 'fk_{table}_{column}', table = '{table}',
            message = format('{table}.{column} still names {parent} %s', left_id);
    end if;"""

# Who writes whole people marks them once and says so: see `crm.imports.people.writing`.
NOTED = {"alumnus": "id", "schooling": "alumnus_id", "interest": "alumnus_id"}
NOTE = """
create or replace function note_{table}_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into alumnus_change (alumnus_id) select distinct {column} from old_rows;
    elsif tg_op = 'UPDATE' then
        insert into alumnus_change (alumnus_id)
            select {column} from new_rows union select {column} from old_rows;
    elsif {newcomers} then
        insert into alumnus_change (alumnus_id) select distinct {column} from new_rows;
    end if;
    return null;
end $$
"""
NEWCOMERS = "coalesce(current_setting('homecoming.newcomers', true), '') <> 'yes'"


def upgrade() -> None:
    for table, column, parent in GUARDED:
        op.drop_constraint(f"fk_{table}_{column}", table, type_="foreignkey")
        words = {"table": table, "column": column, "parent": parent, "plan": PLAN}
        if (table, column, parent) in CHECKED:
            op.execute(COMING.format(**words, fault=FAULT.format(**words, value="absent")))
            op.execute(
                f"create trigger {table}_{column}_named after insert on {table} "
                f"referencing new table as new_rows for each statement "
                f"execute function guard_{table}_{column}()"
            )
        op.execute(MOVED.format(**words, fault=FAULT.format(**words, value=f"new.{column}")))
        op.execute(
            f"create constraint trigger {table}_{column}_moved after update of {column} on {table} "
            f"for each row execute function guard_{table}_{column}_moved()"
        )
    for parent in dict.fromkeys(parent for *_, parent in GUARDED):
        tests = "\n    ".join(
            GONE.format(table=table, column=column, parent=parent)
            for table, column, named in GUARDED if named == parent
        )  # fmt: skip
        op.execute(GOING.format(parent=parent, plan=PLAN, tests=tests))
        op.execute(
            f"create trigger {parent}_still_named after delete on {parent} "
            f"referencing old table as old_rows for each statement execute function guard_{parent}()"
        )
    for table, column in NOTED.items():
        op.execute(NOTE.format(table=table, column=column, newcomers=NEWCOMERS))
    _fewer_entries()


def _fewer_entries() -> None:
    """One index answers both for a value of a system and for a value alone."""
    op.drop_index("ix_external_id_value", "external_id")
    op.drop_constraint("uq_external_id_system_value", "external_id", type_="unique")
    op.create_unique_constraint("uq_external_id_value_system", "external_id", ["value", "system"])
    op.drop_index("ix_import_line_import_id_fate_line", "import_line")
    op.create_index(
        "ix_import_line_told", "import_line", ["import_id", "fate", "line"],
        postgresql_where=sa.text("fate <> 'unchanged'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_import_line_told", "import_line")
    op.create_index("ix_import_line_import_id_fate_line", "import_line", ["import_id", "fate", "line"])
    op.drop_constraint("uq_external_id_value_system", "external_id", type_="unique")
    op.create_unique_constraint("uq_external_id_system_value", "external_id", ["system", "value"])
    op.create_index("ix_external_id_value", "external_id", ["value"])
    for table, column in NOTED.items():
        op.execute(NOTE.format(table=table, column=column, newcomers="true"))
    for parent in dict.fromkeys(parent for *_, parent in GUARDED):
        op.execute(f"drop trigger {parent}_still_named on {parent}")
        op.execute(f"drop function guard_{parent}()")
    for table, column, parent in GUARDED:
        op.execute(f"drop trigger {table}_{column}_moved on {table}")
        op.execute(f"drop function guard_{table}_{column}_moved()")
        if (table, column, parent) in CHECKED:
            op.execute(f"drop trigger {table}_{column}_named on {table}")
            op.execute(f"drop function guard_{table}_{column}()")
        op.create_foreign_key(f"fk_{table}_{column}", table, parent, [column], ["id"])
