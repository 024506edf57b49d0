"""Migrations lead down and up again with rows in the tables, and lose what they say they lose."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import URL, select, text

from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.database import db
from segments.targeting.models import PropensityModel
from segments.targeting.scores import SCORES, keep
from tests.conftest import TODAY, settings_for
from tests.factories import Make
from tests.rules.district import seed
from wsgi import create_app

FIRST = "0001_tables"
LOSES = {
    "consent_entry": "a break from one topic, which older versions cannot keep to (0023)",
    "subject": "words that nobody uses (0004); they come back",
    "way": "words that nobody uses (0004); they come back",
    "topic": "words that nobody uses (0004); they come back",
}
"""Tables of the first version that lose rows on the way down, and why; later tables go whole."""
NOW_IN = {"score": "score_block"}
"""Tables of the first version whose rows stand in another one by now, several to a row."""
SHAPE = """
    select 'column', table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable,
        column_default, is_identity) from information_schema.columns where table_schema = 'public'
    union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
    union all select 'rule', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace
    union all select 'trigger', tgrelid::regclass || ' ' || tgname, pg_get_triggerdef(oid)
        from pg_trigger where not tgisinternal
    union all select 'function', oid::regprocedure::text, prosrc from pg_proc
        where pronamespace = 'public'::regnamespace
"""


PART = re.compile(r"(delivery_event|step_run)_(\d{4}_\d{2}|rest)")
"""Parts of tables kept by months: there are as many as rows and the day ask for."""


def shape() -> set[tuple[str, str, str]]:
    """Every column, index, rule, trigger and function of the database."""
    rows = db.session.execute(text(SHAPE)).all()
    db.session.rollback()
    return {(row[0], row[1], row[2]) for row in rows if not PART.search(row[1])}


def counts() -> dict[str, int]:
    """How many rows each of our tables has."""
    names = [name for kind, name, _ in shape() if kind == "column"]
    tables = sorted({name.partition(".")[0] for name in names if "procrastinate" not in name})
    parts = [f"select '{table}', count(*) from {table}" for table in tables]
    found = {row[0]: row[1] for row in db.session.execute(text(" union all ".join(parts)))}
    db.session.rollback()
    return found


def keep_scores() -> None:
    """Chances of everybody for two ways, and one who has none."""
    ids = np.array(db.session.scalars(select(Alumnus.id).order_by(Alumnus.id)).all())[1:]
    for way in ("speak", "mentor"):
        record = PropensityModel(
            way_key=way, no=9, trained_at=TODAY, card={}, body=b"", sha256="", live=False
        )
        db.session.add(record)
        db.session.flush()
        parts = [(ids, ids / (2.0 * ids.max()))]
        keep(db.session(), parts, way_key=way, model_id=record.id, at=TODAY)


def scores() -> list[tuple[object, ...]]:
    """Every kept chance, whose and of which model."""
    rows = db.session.execute(select(SCORES).order_by(SCORES.c.way_key, SCORES.c.alumnus_id))
    found = [tuple(row) for row in rows]
    db.session.rollback()
    return found


@pytest.mark.slow
def test_a_database_with_rows_goes_down_and_up_again(
    make_database: Callable[[], URL], tmp_path: Path
) -> None:
    app = create_app(settings_for(make_database(), tmp_path))
    with app.app_context():
        with clock.at(TODAY):
            seed(Make(db.session(), TODAY))
            keep_scores()
            db.session.commit()
        whole, before, scored = shape(), counts(), scores()
        downgrade(revision=FIRST)
        kept = counts()
        upgrade()
        assert shape() == whole
        after = counts()
        assert kept["score"] == len(scored) > 2
        assert scores() == scored
        now = {table: NOW_IN.get(table, table) for table in kept}
        lost = {table for table in kept if after[now[table]] < before[now[table]]}
        assert lost <= set(LOSES)
        assert sum(kept[table] for table in kept if table not in LOSES) > 50
        downgrade(revision="base")
        assert [name for kind, name, _ in shape() if "alembic_version" not in name] == []
        upgrade()
        assert shape() == whole
        db.engine.dispose()
