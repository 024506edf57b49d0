"""Workers that are killed anywhere lose nothing and double nothing; and who would is found out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

ROOT = Path(__file__).resolve().parents[2]


def harness(server: URL, template: str, *options: str) -> tuple[int, dict[str, Any], str]:
    """Run the harness as a program of its own: it forks, so no other thread may live in it."""
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed", "--database", address, "--template", template,
         *options],
        capture_output=True, text=True, cwd=ROOT, timeout=500, check=False,
    )  # fmt: skip
    told = done.stdout.splitlines()
    found = json.loads(told[-1]) if told and told[-1].startswith("{") else {}
    return done.returncode, found, done.stdout + done.stderr


@pytest.mark.kill
def test_workers_killed_anywhere_lose_nothing_and_double_nothing(
    server_url: URL, template: str
) -> None:
    code, found, told = harness(server_url, template, "--kills", "50", "--seed", "7")
    assert code == 0, told
    assert found["kills"] >= 50
    assert found["month"]["restarts"] > 0


@pytest.mark.kill
def test_the_harness_finds_out_every_design_that_only_looks_sound(
    server_url: URL, template: str
) -> None:
    code, found, told = harness(server_url, template, "--weak", "--seed", "3")
    assert code == 0, told
    assert [name for name, one in found.items() if not one["caught"]] == []
    assert len(found) == 6
