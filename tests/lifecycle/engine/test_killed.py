"""Ticks killed while steps act and versions take over: nothing is lost and nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from crm.core.database import db
from crm.core.viewer import SYSTEM
from lifecycle.journeys import service
from lifecycle.journeys.takeover import Takeover
from tests.lifecycle.engine.conftest import TODAY, District
from tests.lifecycle.engine.test_acting import EVERYTHING, head
from tests.lifecycle.engine.test_company import ROOT, wait_until_busy

DAY = timedelta(days=1)
ADDRESSES = """
insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred, source,
  created_at, updated_at)
select id, 'email', id || '@mail.example', id || '@mail.example', 'own', 'ok', true, '', now(),
  now() from alumnus;
update alumnus set class_year = 2015, graduated_on = '2015-06-01'
"""
WAITS = "  - {id: rest, wait: 30d}\n  - {id: end, exit: done}\n"
LONGER = "  - {id: hello, wait: 1d}\n  - {id: rest, wait: 40d}\n  - {id: end, exit: done}\n"


def kill_ticks(district: District, moment: datetime, times: int, chance: random.Random) -> int:
    """Start ticks and kill each soon after it began to write; answers how many were caught."""
    address = district.url.set(drivername="postgresql").render_as_string(hide_password=False)
    environment = {
        **os.environ, "HOMECOMING_DATABASE_URL": address, "HOMECOMING_LOG": "quiet",
        "HOMECOMING_INSTANCE": district.app.instance_path,
    }  # fmt: skip
    command = [sys.executable, "wsgi.py", "lifecycle", "advance", "--as-of", moment.isoformat()]
    caught = 0
    for _ in range(times):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        tick = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)
        wait_until_busy(district, tick)
        time.sleep(chance.uniform(0, 1.5))
        caught += tick.poll() is None
        tick.send_signal(signal.SIGKILL)
        tick.wait()
    return caught


@pytest.mark.kill
def test_killed_ticks_do_each_thing_once(district: District) -> None:
    number = 4_000
    district.publish(head("kin", "city:Nowhere") + "  - {id: end, exit: done}\n")
    district.publish(head("all", "class:2015") + EVERYTHING)
    district.people(number)
    district.run(ADDRESSES)
    assert kill_ticks(district, TODAY, 4, random.Random(11)) >= 2
    district.tick(TODAY)
    assert district.value("select count(*) from enrollment where state = 'ended'") == 2 * number
    tasks = "select (select count(*) from staff_task) + (select count(*) from interest)"
    assert district.value(tasks) == number
    for table in ("ask", "message"):
        counted = f"select count(*), count(distinct alumnus_id) from {table}"
        assert district.rows(counted) == [(number, number)]


@pytest.mark.kill
def test_a_killed_takeover_moves_everybody_once(district: District) -> None:
    number = 20_000
    district.publish(head("long") + WAITS)
    district.people(number)
    district.tick(TODAY)
    with district.app.app_context():
        service.publish(
            db.session(), head("long") + LONGER, name="x.yaml", by=SYSTEM, at=TODAY + DAY,
            takeover=Takeover("move"),
        )  # fmt: skip
        db.session.commit()
        db.session.remove()
    kill_ticks(district, TODAY + DAY, 3, random.Random(5))
    district.tick(TODAY + DAY)
    assert district.value("select count(*) from step_run where outcome = 'moved'") == number
    left = "select count(*) from enrollment e join journey_version v on v.id = e.version_id"
    assert district.value(f"{left} where v.no = 1") == 0
    assert district.value(f"{left} where step_no = 1 and seq = 1") == number
