"""Whether the database has the tables that this version of the program expects."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text

from crm.core.database import db
from crm.core.errors import Refused

MIGRATING = 7_316_290
"""The advisory lock that lets only one process migrate at a time."""


def pending(app: Flask) -> list[str]:
    """The migrations that this database still lacks, oldest first.

    Raises `Refused` for a database that a newer version of the program has migrated.
    """
    scripts = ScriptDirectory(str(Path(app.root_path) / "migrations"))
    here = MigrationContext.configure(db.session.connection()).get_current_heads()
    db.session.rollback()
    try:
        steps = list(scripts.iterate_revisions("heads", here or "base"))
    except (CommandError, RevisionError) as error:
        raise Refused(
            [f"The database is at {', '.join(here)}, which this version does not know: update it."]
        ) from error
    return [step.revision for step in reversed(steps)]


def ensure_current(app: Flask) -> None:
    """Migrate an embedded database; for one of your own, refuse to go on while it is behind."""
    missing = pending(app)
    if not missing:
        return
    if app.extensions["homecoming.server"] is None:
        raise Refused(
            [f"The database lacks {len(missing)} migrations: run `homecoming db upgrade` first."]
        )
    with db.engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATING})
        if pending(app):
            upgrade(str(Path(app.root_path) / "migrations"))
