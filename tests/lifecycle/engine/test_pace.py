"""Batches: as many people as the one before was quick with; what comes of it never hangs on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL

from crm.core import clock
from crm.core.database import db
from lifecycle.engine import intake, runner, taking_over
from lifecycle.engine.pace import AIM, Pace
from lifecycle.engine.service import advance
from tests.conftest import settings_for
from tests.lifecycle.engine.conftest import TODAY, District
from wsgi import create_app

DAY = timedelta(days=1)
ACTING = """\
journey: acting
name: Acting
serves: Connect early
enter: phase:new_graduate
exit: "way:speak"
steps:
  - {id: lots, split: {call: 50, note: 50}}
  - {id: call, task: "Call them", next: note}
  - {id: note, set: {subject: health}}
  - {id: ask, ask: speak}
  - {id: letter, send: letter, topic: news}
  - {id: rest, wait: 2d}
  - {id: second, send: letter, topic: news}
  - {id: done, exit: done}
"""
SHOWN = {
    "runs": "select enrollment_id, seq, step_no, outcome, reason, at from step_run order by 1, 2",
    "places": "select id, alumnus_id, state, step_no, seq, wake_at from enrollment order by 2",
    "mail": "select key, state, not_before from message order by 1",
    "tasks": "select enrollment_id, seq, due_at from staff_task order by 1, 2",
    "moves": "select alumnus_id, axis, to_key, at from standing_move order by 1, 2, 4",
    "standing": "select alumnus_id, phase, stage, next_at from standing order by 1",
}


def lived(url: URL, folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is so after some days of ticks whose batches have one size."""
    app = create_app(settings_for(url, folder))
    app.config.update(TESTING=True)
    district = District(app, url)
    for module, names in ((intake, ("BATCH", "RANGE")), (taking_over, ("BATCH",))):
        for name in names:
            monkeypatch.setattr(module, name, size)
    for name in ("FIRST", "ACTING"):
        monkeypatch.setattr(runner, name, size)
    monkeypatch.setattr(Pace, "told", lambda *_: None)
    district.publish(ACTING)
    district.people(40)
    for days in (0, 1, 2):
        if days == 1:
            district.run("update alumnus set deceased = true where id % 9 = 0")
        with app.app_context(), clock.at(TODAY + days * DAY):
            advance(TODAY + days * DAY)
            db.session.remove()
    found = {name: district.rows(statement) for name, statement in SHOWN.items()}
    with app.app_context():
        db.engine.dispose()
    return found


def test_batches_of_any_size_come_to_the_same(
    make_database: Callable[[], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = lived(make_database(), tmp_path / "a", 1_000, monkeypatch)
    small = lived(make_database(), tmp_path / "b", 3, monkeypatch)
    assert len(once["runs"]) > 200
    assert once["tasks"]
    assert small == once


LETTER = """\
journey: letter
name: Letter
serves: Connect early
enter: phase:new_graduate
steps:
  - {id: letter, send: letter, topic: news}
  - {id: rest, wait: 2d}
  - {id: done, exit: done}
"""


def test_a_letter_is_decided_logged_and_left_behind_in_one_statement_a_batch(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FIRST", 4)
    monkeypatch.setattr(Pace, "told", lambda *_: None)
    district.publish(LETTER)
    district.people(10)
    seen: list[str] = []

    def note(*told: Any) -> None:
        seen.append(told[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        report = district.tick(TODAY)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert (report.stepped, report.queued) == (10, 10)
    writing = [one for one in seen if "INSERT INTO message" in one]
    assert len(writing) == 3
    assert all("INSERT INTO step_run" in one and "SKIP LOCKED" in one for one in writing)
    assert sum("SKIP LOCKED" in one and "FROM enrollment" in one for one in seen) == 3


def test_a_batch_follows_the_time_of_the_one_before() -> None:
    pace = Pace(1_000, least=50, most=3_000)
    pace.told(4 * AIM)
    assert pace.size == 250
    pace.told(100 * AIM)
    assert pace.size == 50
    for _ in range(9):
        pace.told(AIM / 10)
    assert pace.size == 3_000
