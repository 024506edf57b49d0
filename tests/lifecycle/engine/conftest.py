"""A district of its own, where ticks really commit and may run from several places at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import URL

from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from tests.conftest import settings_for
from wsgi import create_app

TODAY = datetime(2026, 9, 15, 15, 0, tzinfo=UTC)
PEOPLE = """
insert into alumnus (given_name, middle_name, family_name, suffix, preferred_name, former_name,
  name_key, sort_key, class_year, graduated_on, language, ferpa_block, deceased, do_not_contact,
  custom, link_epoch, created_at, updated_at)
select 'Ada', '', 'Mensah', '', '', '', 'ada mensah', 'mensah ada', 2026, '2026-06-01', 'en',
  false, false, false, '{}', 0, '2026-01-01Z', '2026-01-01Z'
from generate_series(1, :number)
"""


@dataclass
class District:
    """An app on a database of its own."""

    app: Flask
    url: URL

    def people(self, number: int) -> None:
        with self.app.app_context():
            db.session.execute(text(PEOPLE), {"number": number})
            db.session.commit()

    def publish(self, source: str, at: datetime = TODAY) -> None:
        with self.app.app_context():
            variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
            save_content(
                db.session(), key="letter", name="Letter", topic_key="news",
                variants=variants, by=SYSTEM, at=at,
            )  # fmt: skip
            service.publish(db.session(), source, name="x.yaml", by=SYSTEM, at=at)
            db.session.commit()

    def tick(self, at: datetime) -> AdvanceReport:
        with self.app.app_context(), clock.at(at):
            try:
                return advance(at)
            finally:
                db.session.remove()

    def value(self, statement: str, **values: object) -> object:
        with self.app.app_context(), db.engine.connect() as connection:
            return connection.execute(text(statement), values).scalar()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with self.app.app_context(), db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def run(self, statement: str) -> None:
        with self.app.app_context(), db.engine.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def district(make_database: Callable[[], URL], tmp_path: Path) -> Iterator[District]:
    url = make_database()
    app = create_app(settings_for(url, tmp_path))
    app.config.update(TESTING=True)
    yield District(app, url)
    with app.app_context():
        db.engine.dispose()
