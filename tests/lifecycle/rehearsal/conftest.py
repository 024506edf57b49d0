"""A district of its own with people who can be mailed; rehearsals and real days run in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.delivery import deliver
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.rehearsal.days import Readers, following, live
from lifecycle.rehearsal.scratch import scratch
from tests.conftest import settings_for
from wsgi import create_app

TODAY = datetime(2026, 9, 15, 15, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PEOPLE = """
insert into alumnus (given_name, middle_name, family_name, suffix, preferred_name, former_name,
  name_key, sort_key, class_year, graduated_on, language, ferpa_block, deceased, do_not_contact,
  time_zone, custom, link_epoch, created_at, updated_at)
select 'Ada', '', 'Mensah', '', '', '', 'ada mensah', 'mensah ada', 1990 + n % 37,
  make_date(1990 + n % 37, 6, 1), 'en', n % 19 = 0, false, n % 23 = 0,
  (array[null, 'Pacific/Honolulu', 'Europe/Paris', 'Asia/Tokyo'])[1 + n % 4], '{}', 0,
  '2026-01-01Z', '2026-01-01Z'
from generate_series(1, :number) n;
insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred, source,
  created_at, updated_at)
select id, 'email', 'p' || id || '@mail.example', 'p' || id || '@mail.example', 'own', 'ok', true,
  '', '2026-01-01Z', '2026-01-01Z' from alumnus where id % 7 <> 0;
"""
DUE = "select exists (select from message where state = 'queued' and not_before <= :at)"
SENT = """select alumnus_id, origin, state, reason,
    cast(coalesce(accepted_at, ended_at) as text) as moment, cast(not_before as text) as due
  from message where queued_at >= :start order by 1, 2, 5, 6, 3"""


@dataclass
class District:
    """An app on a database of its own."""

    app: Flask

    def people(self, number: int) -> None:
        with self.app.app_context():
            for statement in PEOPLE.split(";")[:2]:
                db.session.execute(text(statement), {"number": number})
            db.session.commit()

    def publish(self, *sources: str) -> None:
        with self.app.app_context():
            variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
            save_content(
                db.session(), key="letter", name="Letter", topic_key="news",
                variants=variants, by=SYSTEM, at=TODAY,
            )  # fmt: skip
            for source in sources:
                service.publish(db.session(), source, name="x.yaml", by=SYSTEM, at=TODAY)
            db.session.commit()

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.app.app_context(), db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def run(self, statement: str) -> None:
        with self.app.app_context(), db.engine.begin() as connection:
            connection.execute(text(statement))

    def rehearsed(self, days: int, readers: Readers, start: datetime = TODAY) -> list[Any]:
        """Every message of rehearsed days: to whom, from which step, what became of it, when."""
        with scratch(self.app, people=None, seed=1, at=start, read=frozenset()):
            session = db.session()
            live(self.app, session, start, start + days * DAY, readers, lambda *_: None)
            return _sent(session, start)

    def lived(self, days: int, readers: Readers, start: datetime = TODAY) -> list[Any]:
        """The same of real days, ticking at the same moments, and mailing every hour."""
        until = start + days * DAY
        with self.app.app_context():
            session, at = db.session(), start
            while at < until:
                with clock.at(at):
                    readers.act(session, at)
                    advance(at)
                    after = following(session, at, until)
                    deliver(self.app, at=at)
                    readers.read(session, at)
                hour = at.replace(minute=0) + timedelta(hours=1)
                while hour < after:
                    if session.scalar(text(DUE), {"at": hour}):
                        deliver(self.app, at=hour)
                        readers.read(session, hour)
                    hour += timedelta(hours=1)
                at = after
            return _sent(session, start)


def _sent(session: Session, start: datetime) -> list[Any]:
    rows = session.execute(text(SENT), {"start": start})
    return [tuple(row) for row in rows]


@pytest.fixture
def district(make_database: Callable[[], URL], tmp_path: Path) -> Iterator[District]:
    app = create_app(settings_for(make_database(), tmp_path))
    app.config.update(TESTING=True)
    yield District(app)
    with app.app_context():
        db.engine.dispose()
