"""`people find` and `people show`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from tests.factories import Make


def report(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_find_counts_and_shows_some(runner: Any, make: Make) -> None:
    school = make.school("Booker T. Washington")
    ana = make.alumnus("Ana", "Núñez", school=school, ways=("mentor",))
    for _ in range(3):
        make.alumnus("Bob", ways=("mentor",))
    found = report(runner.invoke(args=["people", "find", "way:mentor", "--limit", "2", "--json"]))
    assert (found["count"], len(found["people"])) == (4, 2)
    found = report(runner.invoke(args=["people", "find", "nunez", "--json"]))
    assert found["people"] == [
        {"id": ana.id, "name": "Ana Núñez", "class_year": 2015, "schools": [school.name]}
    ]
    found = report(runner.invoke(args=["people", "find", "way:mentor", "--count", "--json"]))
    assert found == {"query": "way:mentor", "count": 4}


def test_find_writes_a_file_without_blocked_people_and_notes_it(
    runner: Any, make: Make, session: Session, tmp_path: Path
) -> None:
    make.alumnus("=1+1")
    make.alumnus("Blocked", ferpa_block=True)
    path = tmp_path / "people.csv"
    found = report(runner.invoke(args=["people", "find", "", "--csv", str(path), "--json"]))
    assert (found["count"], found["written"]) == (2, 1)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["given_name"] for row in rows] == ["'=1+1"]
    assert session.scalars(select(AuditEntry.action)).all() == ["people.exported"]


def test_find_names_a_file_that_cannot_be_written(runner: Any, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "people.csv"
    result = runner.invoke(args=["people", "find", "", "--csv", str(path), "--json"])
    assert result.exit_code == 1
    assert "people.csv" in json.loads(result.stdout.splitlines()[-1])["error"][0]


@pytest.mark.parametrize("query", ["way:mentr", '"', "x" * 3000, "class:twenty"])
def test_a_wrong_query_ends_with_its_reason(runner: Any, make: Make, query: str) -> None:
    result = runner.invoke(args=["people", "find", query, "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[-1])["error"]
    assert "Traceback" not in result.output


def test_show_tells_the_whole_record(runner: Any, make: Make) -> None:
    person = make.alumnus(
        "Ana", ways=("mentor",), email="ana@mail.example", external_id="00042",
        custom={"club": "chess"},
    )  # fmt: skip
    shown = report(runner.invoke(args=["people", "show", "--id", "00042", "--json"]))
    assert (shown["id"], shown["name"]) == (person.id, "Ana Mensah")
    assert shown["external_ids"] == ["sis:00042"]
    assert shown["contact_points"][0]["value"] == "ana@mail.example"
    assert shown["interests"][0]["key"] == "mentor"
    assert shown["schoolings"][0]["status"] == "graduated"
    assert shown["custom"] == {"club": "chess"}
    missing = runner.invoke(args=["people", "show", "--id", "987654321", "--json"])
    assert missing.exit_code == 1


def test_export_tells_everything_that_is_kept_about_one_person_and_nobody_else(
    runner: Any, make: Make, tmp_path: Path
) -> None:
    person = make.alumnus("Ana", ways=("mentor",), email="ana@mail.example", external_id="00042")
    make.interaction(person)
    make.interaction(make.alumnus("Bo", external_id="00043"))
    told = report(runner.invoke(args=["people", "export", "--id", "00042", "--json"]))
    assert (told["id"], told["record"]["given_name"]) == (person.id, "Ana")
    assert len(told["tables"]["interaction"]) == 1
    assert {"external_id", "contact_point", "interest", "schooling"} <= told["tables"].keys()
    path = tmp_path / "ana.json"
    short = report(
        runner.invoke(args=["people", "export", "--id", "00042", "--to", str(path), "--json"])
    )
    noted = 1  # that the first one was made
    assert short["rows"] == sum(map(len, told["tables"].values())) + noted
    assert json.loads(path.read_text())["record"] == told["record"]
    nowhere = str(tmp_path / "none" / "ana.json")
    refused = runner.invoke(args=["people", "export", "--id", "00042", "--to", nowhere, "--json"])
    assert refused.exit_code == 1
