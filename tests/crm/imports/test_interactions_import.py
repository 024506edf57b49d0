"""Histories brought in by the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import ExternalId
from crm.imports.models import ImportLine
from crm.interactions.models import Interaction
from crm.schools.models import School
from tests.crm.imports.conftest import Command
from tests.factories import Make

HEADER = "person_id,occurred_at,kind,mode,school_id,hours,amount,note\n"


@pytest.fixture
def history(run: Callable[..., Command], tmp_path: Path) -> Callable[[str], Command]:
    def history(lines: str, header: str = HEADER) -> Command:
        path = tmp_path / "history.csv"
        path.write_text(header + lines)
        return run("interactions", "import", path)

    return history


def test_lines_become_interactions_of_the_people_they_name(
    session: Session, make: Make, north: School, history: Callable[[str], Command]
) -> None:
    ada, bo = make.alumnus(external_id="0007"), make.alumnus("Bo", "Li")
    answer = history(
        "0007,2026-03-14,talk_given,volunteer,201,1.5,,Careers day\n"
        "sis:0007,2026-03-15T10:00:00-04:00,Talk Given,Volunteer,North High School,,,\n"
        f'{bo.id},2026-04-01,gift,philanthropic,,,"$1,250.50",\n'
    )
    assert answer.report == answer.report | {"created": 3, "unchanged": 0, "rejected": 0}
    talk, late, gift = session.scalars(select(Interaction).order_by(Interaction.occurred_at))
    assert (talk.alumnus_id, talk.school_id, talk.hours, talk.note) == (
        ada.id, north.id, Decimal("1.50"), "Careers day",
    )  # fmt: skip
    assert late.occurred_at == datetime(2026, 3, 15, 14, tzinfo=UTC)
    assert (late.kind, late.school_id) == ("talk_given", north.id)
    assert (gift.alumnus_id, gift.amount, gift.mode) == (bo.id, Decimal("1250.50"), "philanthropic")


def test_the_same_history_twice_changes_nothing(
    make: Make, history: Callable[[str], Command]
) -> None:
    make.alumnus(external_id="7")
    lines = "7,2026-03-14,replied,communication,,,,\n7,2026-03-14,replied,communication,,,,\n"
    assert history(lines).report["created"] == 1
    again = history(lines).report
    assert (again["created"], again["unchanged"]) == (0, 2)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("9,2026-03-14,replied,communication,,,,", "nobody has the id “9”"),
        (",2026-03-14,replied,communication,,,,", "person_id is blank"),
        ("7,14.3.,replied,communication,,,,", "is no moment"),
        ("7,2099-01-01,replied,communication,,,,", "lies in the future"),
        ("7,2026-03-14,replied,fun,,,,", "mode “fun” is none of"),
        ("7,2026-03-14,r!,communication,,,,", "is no word of letters"),
        ("7,2026-03-14,replied,communication,999,,,", "no school is called “999”"),
        ("7,2026-03-14,replied,communication,,-1,,", "hours -1 is below 0"),
        ("7,2026-03-14,replied,communication,,1e99,,", "hours 1e99"),
        ("7,2026-03-14,replied,communication,,nan,,", "hours nan"),
        ("7,2026-03-14,replied,communication,,,", "has 7 columns"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_stay(
    make: Make, history: Callable[[str], Command], line: str, words: str
) -> None:
    make.alumnus(external_id="7")
    answer = history(f"{line}\n7,2026-03-15,replied,communication,,,,\n")
    assert (answer.code, answer.report["created"], answer.report["rejected"]) == (0, 1, 1)
    assert "history.csv:2: " in answer.stderr
    assert words in answer.stderr


def test_an_id_of_two_people_must_name_its_system(
    make: Make, history: Callable[[str], Command], session: Session
) -> None:
    make.alumnus(external_id="7")
    bo = make.alumnus("Bo", "Li")
    make.save(ExternalId(alumnus_id=bo.id, system="state", value="7"))
    answer = history(
        "7,2026-03-14,replied,communication,,,,\nstate:7,2026-03-14,replied,communication,,,,\n"
    )
    assert "several people have the id “7”" in answer.stderr
    assert session.scalars(select(Interaction.alumnus_id)).all() == [bo.id]


def test_a_history_without_its_columns_is_refused(history: Callable[..., Command]) -> None:
    answer = history("7,2026-03-14\n", "person,when\n")
    assert answer.code == 1
    assert "history.csv:1: there is no column person_id, occurred_at, kind, mode" in answer.stderr


def test_a_file_of_nothing_but_bad_lines_fails(history: Callable[..., Command]) -> None:
    answer = history("9,2026-03-14,replied,communication,,,,\n")
    assert answer.code == 1
    assert "every line was rejected" in answer.stderr


def test_a_merged_person_hands_their_history_on(
    make: Make, history: Callable[[str], Command], session: Session
) -> None:
    kept = make.alumnus("Ada", "Mensah")
    make.alumnus("Ada", "Mensah", external_id="7", merged_into_id=kept.id)
    history("7,2026-03-14,replied,communication,,,,\n")
    assert session.scalars(select(Interaction.alumnus_id)).all() == [kept.id]


def test_imports_are_listed(
    run: Callable[..., Command], make: Make, history: Callable[[str], Command]
) -> None:
    make.alumnus(external_id="7")
    history("7,2026-03-14,replied,communication,,,,\n")
    (entry,) = run("imports", "list").report["imports"]
    assert (entry["file"], entry["state"], entry["totals"]) == (
        "history.csv", "applied", {"created": 1},
    )  # fmt: skip


def test_every_line_has_its_fate_and_can_be_downloaded(
    make: Make, history: Callable[[str], Command], coordinator: FlaskClient, session: Session
) -> None:
    make.alumnus(external_id="7")
    good = "7,2026-03-14,replied,communication,,,,\n"
    history(good)
    answer = history(
        good + "9,2026-03-14,replied,communication,,,,\n" + good.replace("14", "15") * 2
    )
    session.commit()
    text = coordinator.get(f"/imports/{answer.report['import_id']}/lines.csv").text
    lines = [line.split(",")[:3] for line in text.splitlines()[1:]]
    assert lines == [
        ["2", "unchanged", ""], ["3", "reject", "person_id: nobody has the id “9”"],
        ["4", "create", ""], ["5", "unchanged", "is the same as line 4"],
    ]  # fmt: skip


def test_an_undone_history_says_so_on_each_line(
    make: Make, history: Callable[[str], Command], run: Callable[..., Command], session: Session
) -> None:
    make.alumnus(external_id="7")
    answer = history("7,2026-03-14,replied,communication,,,,\n")
    assert run("imports", "undo", answer.report["import_id"]).report["removed"] == 1
    assert session.scalars(select(ImportLine.undone)).all() == ["taken back"]
    assert session.scalars(select(Interaction.id)).all() == []
