"""Ticks in company: two at once, with a bad row, with a bad journey."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import text

from crm.core.database import db
from tests.lifecycle.engine.conftest import TODAY, District

DAY = timedelta(days=1)
THREE = """\
journey: three
name: Three letters
serves: Connect early
enter: phase:new_graduate
steps:
  - {id: one, send: letter, topic: news}
  - {id: two, send: letter, topic: news}
  - {id: rest, wait: 2d}
  - {id: last, send: letter, topic: news}
  - {id: done, exit: done}
"""


def everybody_got_everything(district: District, people: int) -> None:
    """Each person ran each step once and has each letter once: law 1."""
    assert district.value("select count(*) from enrollment where state = 'ended'") == people
    assert district.value("select count(*) from step_run") == people * 5
    counted = (
        "select origin, count(*), count(distinct alumnus_id) from message group by 1 order by 1"
    )
    expected = [(f"journey:three/{step}", people, people) for step in ("last", "one", "two")]
    assert district.rows(counted) == expected


def test_two_workers_at_once_do_everything_once(district: District) -> None:
    district.publish(THREE)
    district.people(6_000)
    reports, faults = [], []

    def work() -> None:
        try:
            reports.append([district.tick(TODAY), district.tick(TODAY + 2 * DAY)])
        except Exception as fault:
            faults.append(fault)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    district.tick(TODAY + 2 * DAY)
    everybody_got_everything(district, 6_000)
    assert sum(r.entered for pair in reports for r in pair) == 6_000
    assert sum(r.moved for pair in reports for r in pair) == 6_000


def test_one_bad_row_is_set_aside_and_the_rest_go_on(district: District) -> None:
    district.publish(THREE)
    district.people(300)
    district.tick(TODAY)
    bad = district.value("select max(id) from enrollment")
    district.run(
        "insert into step_run (enrollment_id, seq, entered_on, step_no, outcome, at) "
        f"values ({bad}, 2, '{TODAY:%Y-%m-%d}', 0, 'queued', now())"
    )
    report = district.tick(TODAY + 2 * DAY)
    assert report.stuck == 1
    assert district.rows("select id, step_no from enrollment where state = 'stuck'") == [(bad, 2)]
    reason = str(district.value("select end_reason from enrollment where state = 'stuck'"))
    assert reason.startswith("rest: duplicate key")
    assert district.value("select count(*) from enrollment where state = 'ended'") == 299
    assert district.tick(TODAY + 3 * DAY).stuck == 0


def test_a_step_that_fails_for_all_is_the_journeys_fault_not_theirs(district: District) -> None:
    district.publish(THREE)
    district.people(200)
    district.tick(TODAY)
    district.run("alter table step_run add constraint shut check (step_no < 2)")
    district.publish(THREE.replace("three", "other").replace("wait: 2d", "wait: 1d"))
    report = district.tick(TODAY + 2 * DAY)
    assert report.stuck <= 40
    assert "shut" in str(district.value("select fault from journey where key = 'three'"))
    district.run("alter table step_run drop constraint shut")
    district.run("update enrollment set state = 'waiting', end_reason = null where state = 'stuck'")
    district.tick(TODAY + 3 * DAY)
    assert district.value("select count(*) from journey where fault is not null") == 0
    ended = (
        "select count(*) from enrollment e join journey j on j.id = e.journey_id "
        "where j.key = 'three' and e.state = 'ended'"
    )
    assert district.value(ended) == 200


def test_a_journey_that_names_what_is_gone_stops_no_other(district: District) -> None:
    district.publish(THREE)
    district.publish(THREE.replace("three", "kin"))
    bad = THREE.replace("three", "bad").replace("phase:new_graduate", "class:2026 -journey:kin")
    district.publish(bad)
    district.run("update journey set key = 'gone', state = 'paused' where key = 'kin'")
    district.people(10)
    report = district.tick(TODAY)
    assert (report.entered, report.queued) == (10, 20)
    assert "kin" in str(district.value("select fault from journey where key = 'bad'"))
    district.run("update journey set key = 'kin' where key = 'gone'")
    assert district.tick(TODAY).entered == 10
    assert district.value("select count(*) from journey where fault is not null") == 0


def test_marks_written_while_a_tick_runs_are_kept(district: District) -> None:
    district.people(10)
    district.tick(TODAY)
    change = "update alumnus set class_year = 2010, graduated_on = '2010-06-01' where id = 1"
    with district.app.app_context(), db.engine.connect() as writer:
        writer.execute(text(change))
        assert district.tick(TODAY).moved == 0
        writer.commit()
    assert district.tick(TODAY).moved == 1
    assert district.value("select phase from standing where alumnus_id = 1") == "established"
