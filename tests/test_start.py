"""The app stands: its database is migrated and matches the models."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask.testing import FlaskClient
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.months import is_part
from tests.factories import Make


def _guarded(constraint: ForeignKeyConstraint) -> bool:
    return all(element.info.get("guarded") for element in constraint.elements)


def test_models_and_migrations_agree(session: Session) -> None:
    options = {
        "compare_type": True,
        "include_object": lambda o, n, kind, r, c: (
            not (
                str(n).startswith("procrastinate_")
                or (kind == "table" and is_part(str(n)))
                or (kind == "foreign_key_constraint" and _guarded(o))
            )
        ),
    }
    context = MigrationContext.configure(session.connection(), opts=options)
    assert compare_metadata(context, db.metadata) == []


def test_a_page_that_does_not_exist_says_so(client: FlaskClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "no such page" in answer.text


def test_factories_make_whole_people(make: Make) -> None:
    person = make.alumnus("Zoë", "Nuñez O’Brien", ways=("speak",))
    assert person.name_key == "zoe nunez obrien"
