"""A worker that is killed at its work leaves nothing half done, and the next one finishes it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.kill
def test_a_worker_killed_anywhere_leaves_nothing_half_done_lost_or_doubled(
    make_database: Callable[[], URL], tmp_path: Path
) -> None:
    url = make_database().set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed.harness", url, str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [fault for work in found.values() for fault in work["faults"]] == []
    assert {name: work["kills"] >= 5 for name, work in found.items()} == dict.fromkeys(
        ["import", "change", "undoing", "export"], True
    )
