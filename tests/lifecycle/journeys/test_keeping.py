"""Steps of journeys by months: one wall against second runs, kept and let go by whole months."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy.exc import IntegrityError

from crm.core.database import db
from crm.core.months import keep_up, parts
from crm.rights.retention import run
from tests.lifecycle.engine.conftest import TODAY, District

DAY = timedelta(days=1)
MONTH = f"step_run_{TODAY:%Y_%m}"
TWO = """\
journey: two
name: Two letters
serves: Connect early
enter: phase:new_graduate
steps:
  - {id: one, send: letter, topic: news}
  - {id: rest, wait: 40d}
  - {id: last, send: letter, topic: news}
  - {id: done, exit: done}
"""


def months(district: District) -> set[str]:
    with district.app.app_context():
        return {part.name for part in parts(db.session(), "step_run") if part.month}


def upkeep(district: District) -> None:
    with district.app.app_context():
        keep_up(db.session(), TODAY)


def test_all_steps_of_a_way_stand_in_the_month_it_began_in(district: District) -> None:
    upkeep(district)
    district.publish(TWO)
    district.people(20)
    for days in (0, 40, 41):
        district.tick(TODAY + days * DAY)
    assert district.value("select count(*) from enrollment where state = 'ended'") == 20
    spread = (
        "select cast(tableoid::regclass as text), count(*), count(distinct at) "
        "from step_run group by 1"
    )
    assert district.rows(spread) == [(MONTH, 80, 2)]


def test_a_step_run_again_in_a_later_month_meets_the_first_run(district: District) -> None:
    upkeep(district)
    district.publish(TWO)
    district.people(3)
    district.tick(TODAY)
    # As if the move on of one enrollment had been lost, and its step came due again in winter.
    district.run("update enrollment set step_no = 0, seq = 0, wake_at = now() where id = 1")
    district.tick(TODAY + 90 * DAY)
    stuck = district.rows("select id, end_reason from enrollment where state = 'stuck'")
    assert [row[0] for row in stuck] == [1]
    assert "duplicate key" in str(stuck[0][1])
    with pytest.raises(IntegrityError, match="duplicate key"):
        district.run(
            "insert into step_run (enrollment_id, seq, entered_on, step_no, outcome, at) "
            "select enrollment_id, seq, entered_on, step_no, outcome, now() from step_run limit 1"
        )


def let_go(district: District, years: float) -> dict[str, int]:
    with district.app.app_context():
        return run(db.session(), at=TODAY + years * 365 * DAY)


def test_steps_go_with_their_month_once_nobody_of_it_is_inside(district: District) -> None:
    upkeep(district)
    district.publish(TWO)
    district.people(10)
    district.tick(TODAY)
    district.tick(TODAY + 40 * DAY)
    # One of them is on the way still.
    district.run("update enrollment set state = 'waiting', ended_at = null where id = 1")
    assert let_go(district, 6.2)["step_run"] == 9 * 4
    assert MONTH in months(district)
    assert district.value("select count(*) from step_run where enrollment_id = 1") == 4
    district.run("update enrollment set state = 'ended', ended_at = entered_at where id = 1")
    assert let_go(district, 6.2)["step_run"] == 4
    assert MONTH not in months(district)
    assert district.value("select count(*) from enrollment") == 10


def test_steps_of_a_district_move_into_their_months_and_back(district: District) -> None:
    district.publish(TWO)
    district.people(5)
    district.tick(TODAY)
    district.tick(TODAY + 40 * DAY)
    columns = "enrollment_id, seq, step_no, outcome, reason, at"
    rows = f"select {columns} from step_run order by 1, 2"
    before = district.rows(rows)
    with district.app.app_context():
        db.engine.dispose()
        config = district.app.extensions["migrate"].migrate.get_config()
        command.downgrade(config, "0033_model_watch")
        assert district.rows(rows) == before
        command.upgrade(config, "head")
    assert district.rows(rows) == before
    assert district.rows("select distinct cast(tableoid::regclass as text) from step_run") == [
        (MONTH,)
    ]
