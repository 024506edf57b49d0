"""The benchmarks run from their command to their figures, at a size that takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from benchmarks.data import empty_app
from benchmarks.figures import Figure, percentile
from crm.core.database import db
from tests.conftest import run_sql

ROOT = Path(__file__).parents[2]


def measure(server: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT, env={**os.environ, "HOMECOMING_TEST_DATABASE_URL": address},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(server_url: URL) -> dict[str, Any]:
    done = measure(server_url, "--people", "300", "--only", "search", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_search_is_measured_beside_its_floor(report: dict[str, Any]) -> None:
    names = {figure["name"] for figure in report["figures"]}
    assert {"query everybody, p50", "page everybody, p95", "page in the middle, p95"} <= names
    assert {figure["size"] for figure in report["figures"]} == {300}
    assert all(figure["ours"] > 0 and figure["floor"] > 0 for figure in report["figures"])


def test_a_wrong_area_is_named_before_anything_is_measured(server_url: URL) -> None:
    done = measure(server_url, "--only", "search,weather")
    assert done.returncode == 2
    assert "no such area: weather" in done.stderr


@pytest.mark.slow
def test_a_district_is_thrown_away_even_when_measuring_fails(
    server_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = server_url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("HOMECOMING_TEST_DATABASE_URL", address)
    names: list[str | None] = []

    def fail() -> None:
        with empty_app():
            names.append(db.engine.url.database)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert run_sql(server_url, f"select 1 from pg_database where datname = '{names[0]}'") == [None]


def test_a_goal_is_met_from_its_own_side() -> None:
    slower = Figure("search", "page", 1, "ms", ours=4, floor=1, goal=3)
    faster = Figure("delivery", "mail", 1, "1/s", ours=4, floor=1, goal=3, at_least=True)
    assert (slower.met, faster.met) == (False, True)


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile(range(1, 41), share) for share in (0.5, 0.95, 1.0)] == [20, 38, 40]
