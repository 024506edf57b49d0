"""Past asks from a file: once each, whoever they name, with every refusal said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Way
from segments.asks.models import Ask, AskState
from tests.factories import Make

HEAD = "person_id,asked_at,way,answered_at,answer\n"


def bring(runner: Any, file: Path) -> dict[str, Any]:
    answer = runner.invoke(args=["asks", "import", str(file), "--json"])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.output.splitlines()[-1])
    return found


def test_a_history_is_taken_in_once(
    runner: Any, session: Session, make: Make, tmp_path: Path
) -> None:
    ada, ben = make.alumnus("Ada", external_id="0012"), make.alumnus("Ben")
    session.commit()
    file = tmp_path / "asks.csv"
    file.write_text(
        HEAD
        + "0012,2025-03-01T10:00:00Z,speak,2025-03-02T08:00:00Z,accepted\n"
        + "sis:0012,2025-03-01T10:00:00Z,speak,2025-03-02T08:00:00Z,accepted\n"
        + f"{ben.id},2025-03-01,blood_drive,,none\n"
        + "nobody,2025-03-01,speak,,none\n"
        + "0012,2025-05-01,speak,2025-04-01,declined\n"
        + "0012,someday,speak,,\n"
        + "0012,2025-06-01,speak,,perhaps\n"
    )
    report = bring(runner, file)
    assert (report["created"], report["unchanged"], report["rejected"]) == (2, 1, 4)
    asked = session.scalars(select(Ask).order_by(Ask.id)).all()
    assert {(a.alumnus_id, a.state) for a in asked} == {
        (ada.id, AskState.ACCEPTED), (ben.id, AskState.NONE)
    }  # fmt: skip
    drive = session.get_one(Way, "blood_drive")
    assert (drive.offered, drive.label) == (False, "Blood Drive")
    again = bring(runner, file)
    assert (again["created"], again["unchanged"], again["rejected"]) == (0, 3, 4)


def test_a_file_without_its_columns_changes_nothing(
    runner: Any, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "asks.csv"
    for text in ("who,when\n1,2\n", "", "\x00\x01", HEAD + "nobody,2025-01-01,speak,,\n"):
        file.write_text(text)
        answer = runner.invoke(args=["asks", "import", str(file)])
        assert answer.exit_code == 1, text
        assert "asks.csv" in answer.output
    assert session.scalar(select(func.count(Ask.id))) == 0


def test_past_asks_are_found_by_query(
    runner: Any, session: Session, make: Make, tmp_path: Path
) -> None:
    make.alumnus("Ada", external_id="1")
    make.alumnus("Ben", external_id="2")
    session.commit()
    file = tmp_path / "asks.csv"
    file.write_text(HEAD + "1,2026-08-01,speak,2026-08-02,accepted\n2,2020-08-01,speak,,none\n")
    bring(runner, file)

    def count(query: str) -> int:
        answer = runner.invoke(args=["people", "find", query, "--count", "--json"])
        assert answer.exit_code == 0, answer.output
        return int(json.loads(answer.output.splitlines()[-1])["count"])

    assert count("asked:90d") == 1
    assert count("lang:en -asked:90d") == 1
    assert count("answered:accepted") == 1
    assert count("answered:none") == 1
    assert count("helped:1y") == 0
    assert count("cleared:2") == 0
