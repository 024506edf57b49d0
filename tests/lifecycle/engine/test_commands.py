"""The commands as scripts use them: JSON on the last line, problems named, exit codes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.mail.models import Message
from tests.factories import Make

ROOT = Path(__file__).resolve().parents[3]
WELCOME = ROOT / "journeys/welcome.yaml"


def run(runner: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = runner.invoke(args=[*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]


def test_a_journey_by_command_from_check_to_stop(
    runner: Any, session: Session, make: Make, tmp_path: Path
) -> None:
    make.alumnus(class_year=2026, external_id="0007")
    assert run(runner, "lifecycle", "advance")["moved"] == 1
    checked = run(runner, "journeys", "check", str(WELCOME))
    assert (checked["key"], checked["entering"]) == ("welcome", 1)
    assert run(runner, "journeys", "publish", str(WELCOME))["created"] is True
    assert run(runner, "journeys", "publish", str(WELCOME))["created"] is False
    report = run(runner, "lifecycle", "advance", "--as-of", "2026-09-16")
    keys = ("moved", "entered", "stepped", "queued", "skipped")
    assert [report[key] for key in keys] == [0, 1, 1, 1, 0]
    exported = runner.invoke(args=["journeys", "export", "welcome"])
    assert exported.stdout == WELCOME.read_text()
    copy = tmp_path / "copy.yaml"
    run(runner, "journeys", "export", "welcome", "--to", str(copy))
    assert copy.read_bytes() == WELCOME.read_bytes()
    assert run(runner, "journeys", "list")["journeys"][0]["inside"] == 1
    assert run(runner, "lifecycle", "verify", "--as-of", "2026-09-16")["differing"] == 0
    assert run(runner, "journeys", "stop", "welcome")["state"] == "stopped"
    assert run(runner, "lifecycle", "advance", "--as-of", "2026-09-17")["ended"] == 1


def test_why_tells_the_chain_and_one_message(
    runner: Any, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2026, external_id="0007")
    run(runner, "lifecycle", "advance")
    run(runner, "journeys", "publish", str(WELCOME))
    run(runner, "lifecycle", "advance")
    told = run(runner, "lifecycle", "why", "--id", "sis:0007")
    assert (told["phase"], told["stage"]) == ("new_graduate", "quiet")
    assert any("Journey Welcome after graduation, version 1" in line for line in told["reasons"])
    assert any("It waits to be sent." in line for line in told["reasons"])
    message = session.scalars(select(Message)).one()
    for name in (str(message.id), message.key):
        one = run(runner, "lifecycle", "why", "--id", "0007", "--message", name)
        assert (one["origin"], one["state"]) == ("journey:welcome/hello", "queued")
    missing = run(runner, "lifecycle", "why", "--id", "0007", "--message", "no\x01such", code=1)
    assert "no message" in missing["error"][0]


def test_refused_input_names_its_place_and_ends_with_one(runner: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(WELCOME.read_text().replace("topic: news", "topic: gossip"))
    assert (
        "bad.yaml:16: step hello: there is no topic “gossip”"
        in run(runner, "journeys", "check", str(bad), code=1)["error"]
    )
    bad.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in run(runner, "journeys", "publish", str(bad), code=1)["error"][0]
    missing = run(runner, "journeys", "publish", str(tmp_path / "none.yaml"), code=1)
    assert "No such file" in missing["error"][0]
    assert run(runner, "journeys", "export", "none", code=1)["error"]
    assert run(runner, "lifecycle", "why", "--id", "nobody", code=1)["error"]
