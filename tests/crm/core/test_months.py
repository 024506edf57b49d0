"""Tables kept by months: parts ahead, rows that come without one, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.months import keep_up, month_after, parts, short_of, unfiled
from crm.mail.models import DeliveryEvent
from tests.conftest import TODAY, settings_for
from tests.factories import Make
from wsgi import create_app

TABLE = "delivery_event"


def told(make: Make, at: datetime, key: str = "k") -> DeliveryEvent:
    return make.save(
        DeliveryEvent(dedupe_key=key, kind="delivered", at=at, payload={}, received_at=at)
    )


def stands_in(session: Session) -> list[tuple[str, str]]:
    found = session.execute(
        text(f"select dedupe_key, cast(tableoid::regclass as text) from {TABLE} order by 1")
    )
    return [(key, part) for key, part in found]


def test_months_are_counted_over_the_turn_of_the_year() -> None:
    assert month_after(date(2026, 11, 30), 2) == date(2027, 1, 1)
    assert month_after(date(2026, 1, 5), -2) == date(2025, 11, 1)
    assert month_after(date(2026, 12, 31)) == date(2027, 1, 1)


def test_the_next_months_are_made_once(session: Session) -> None:
    at = datetime(2031, 11, 20, tzinfo=UTC)
    assert TABLE in short_of(session, at)
    made = keep_up(session, at)
    wanted = {f"{TABLE}_{month}" for month in ("2031_11", "2031_12", "2032_01", "2032_02")}
    assert {name for name in made if name.startswith(TABLE)} == wanted
    assert keep_up(session, at) == []
    assert short_of(session, at) == []


def test_a_row_without_a_month_is_filed_and_stays_the_same_row(
    session: Session, make: Make
) -> None:
    # The last second of a month in UTC, which is the next month nowhere but east of it.
    told(make, datetime(2030, 3, 31, 23, 59, 59, tzinfo=UTC), "last")
    told(make, datetime(2030, 4, 1, tzinfo=UTC), "first")
    told(make, datetime(1970, 1, 1, tzinfo=UTC), "nonsense")
    before = session.execute(text(f"select * from {TABLE} order by id")).all()
    assert unfiled(session, 10)[TABLE] == 3
    keep_up(session, datetime(2030, 4, 2, tzinfo=UTC))
    assert stands_in(session) == [
        ("first", f"{TABLE}_2030_04"), ("last", f"{TABLE}_2030_03"), ("nonsense", f"{TABLE}_rest"),
    ]  # fmt: skip
    assert session.execute(text(f"select * from {TABLE} order by id")).all() == before
    assert unfiled(session, 10)[TABLE] == 1


def test_numbers_go_on_in_a_month_made_later(session: Session, make: Make) -> None:
    first = told(make, TODAY, "one").id
    keep_up(session, TODAY)
    assert told(make, TODAY, "two").id > first


def checks(app: Flask, *options: str) -> dict[str, Any]:
    found = app.test_cli_runner().invoke(args=["doctor", "--json", *options])
    told = json.loads(found.stdout.splitlines()[-1])
    return {check["name"]: check for check in told["checks"]}


def test_doctor_tells_of_a_month_that_is_missing_and_of_rows_in_none(
    app: Flask, session: Session, make: Make
) -> None:
    late = "2032-06-15"
    assert checks(app, "--as-of", late)["months"]["state"] == "warn"
    keep_up(session, datetime(2032, 6, 15, tzinfo=UTC))
    assert checks(app, "--as-of", late)["months"]["state"] == "ok"
    told(make, datetime(2029, 1, 1, tzinfo=UTC))
    session.commit()
    check = checks(app, "--as-of", late)["months"]
    assert (check["state"], f"{TABLE} (1)" in check["detail"]) == ("warn", True)


def test_sizes_by_month_stand_on_the_page_and_among_the_figures(
    coordinator: FlaskClient, session: Session
) -> None:
    keep_up(session, datetime(2026, 9, 1, tzinfo=UTC))
    page = coordinator.get("/settings/installation").text
    assert "September 2026" in page
    assert TABLE in page
    figures = coordinator.get("/metrics").text
    assert f'homecoming_month_bytes{{month="2026-09",table="{TABLE}"}}' in figures
    assert f'homecoming_month_bytes{{month="rest",table="{TABLE}"}}' in figures


def test_the_command_says_what_it_made(app: Flask, session: Session) -> None:
    ran = app.test_cli_runner().invoke(args=["months", "--json", "--as-of", "2033-01-05"])
    told = json.loads(ran.stdout.splitlines()[-1])
    assert f"{TABLE}_2033_04" in told["made"]
    assert {"table", "month", "bytes", "rows"} == set(told["months"][0])


@pytest.fixture
def old(make_database: Callable[[], URL], tmp_path: Path) -> Iterator[Flask]:
    """An app on a database of its own, for going back and forth between versions."""
    app = create_app(settings_for(make_database(), tmp_path))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


EVENTS = """insert into delivery_event
    (dedupe_key, message_id, attempt, kind, at, machine, payload, received_at)
  select 'k' || n, md5(n::text)::uuid, 1, 'click',
    timestamptz '2025-11-20 12:00Z' + n * interval '1 day', n % 2 = 0,
    jsonb_build_object('n', n), timestamptz '2025-11-20 12:01Z' + n * interval '1 day'
  from generate_series(1, 100) n"""


def test_rows_of_a_district_move_into_their_months_and_back(old: Flask) -> None:
    def run(statement: str) -> Any:
        with db.engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.all() if result.returns_rows else None

    config = old.extensions["migrate"].migrate.get_config()
    command.downgrade(config, "0028_request_life")
    run(EVENTS)
    columns = "id, dedupe_key, message_id, attempt, kind, at, machine, payload, received_at"
    rows = f"select {columns} from {TABLE} order by id"
    before = run(rows)
    command.upgrade(config, "head")
    assert run(rows) == before
    counted = run(
        f"select cast(tableoid::regclass as text), count(*) from {TABLE} group by 1 order by 1"
    )
    assert counted == [
        (f"{TABLE}_{month}", n)
        for month, n in (("2025_11", 10), ("2025_12", 31), ("2026_01", 31), ("2026_02", 28))
    ]
    run(EVENTS.replace("'k'", "'l'"))
    assert run(f"select min(id) from {TABLE} where dedupe_key like 'l%'")[0][0] == 101
    command.downgrade(config, "0028_request_life")
    assert run(rows)[:100] == before
    command.upgrade(config, "head")


def test_a_look_at_what_is_told_of_one_mail_reads_its_months_only(
    session: Session, make: Make
) -> None:
    for n in range(24):
        keep_up(session, TODAY - timedelta(days=30 * n))
    plan = session.execute(
        text(f"explain select * from {TABLE} where message_id = :id and at >= :since"),
        {"id": "0" * 32, "since": TODAY - timedelta(days=1)},
    )
    names = {part.name for part in parts(session, TABLE)}
    read = {name for line in plan.scalars() for name in names if f" on {name} " in line}
    assert f"{TABLE}_2026_09" in read
    assert not {name for name in read if name != f"{TABLE}_rest" and name < f"{TABLE}_2026_09"}
