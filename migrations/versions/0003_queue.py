"""Create the job queue's own tables."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003_queue"
down_revision = "0002_guards"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The script holds several statements and percent signs: the driver takes it only bare.
    connection = op.get_bind().connection.driver_connection
    connection.execute(SchemaManager.get_schema())


def downgrade() -> None:
    op.execute(
        """
        do $$ declare found record; begin
            for found in select p.oid::regprocedure as signature from pg_proc p
                where p.proname like 'procrastinate\\_%' loop
                execute 'drop function if exists ' || found.signature || ' cascade';
            end loop;
            for found in select tablename from pg_tables where tablename like 'procrastinate\\_%' loop
                execute 'drop table if exists ' || quote_ident(found.tablename) || ' cascade';
            end loop;
            for found in select typname from pg_type t where typname like 'procrastinate\\_%'
                and typtype in ('e', 'c') loop
                execute 'drop type if exists ' || quote_ident(found.typname) || ' cascade';
            end loop;
        end $$
        """
    )
