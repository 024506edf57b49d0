"""Files that break off: refused, or read up to the break because somebody chose so."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.imports.models import ImportState
from crm.schools.models import School
from tests.crm.imports.conftest import Command, everybody
from tests.crm.imports.test_layouts import ADA, graduates, shifted
from tests.crm.imports.test_pages import Upload, latest, upload, work

__all__ = ["upload"]
WHOLE = "ID,Name,Email\n1,Ada Mensah,ada@mail.example\n2,Bo Li,bo@mail.example\n"


def damaged_workbook() -> bytes:
    """A worksheet whose third row is cut in the middle."""
    book = Workbook()
    assert book.active is not None
    for row in (["ID", "Name"], [1, "Ada Mensah"], [2, "Bo Li"]):
        book.active.append(row)
    whole, broken = io.BytesIO(), io.BytesIO()
    book.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = content[: content.index(b'<row r="3"') + 12]
            new.writestr(name, content)
    return broken.getvalue()


BROKEN = {
    "quote": (b'3,"Cy Ray,cy@mail.example\n4,Di Fu,di@mail.example\n', "list.csv:4: a quotation"),
    "cut": (b"3,Cy Ra", "list.csv:4: the file breaks off in the middle of this line"),
    "swallowed": (b'3,"' + b"x" * 40_000 + b'",\n', "list.csv:4: a field holds more than"),
}


@pytest.mark.parametrize("how", sorted(BROKEN))
def test_a_file_that_breaks_off_is_refused_unless_somebody_chooses(
    session: Session, run: Callable[..., Command], tmp_path: Path, how: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(WHOLE.encode() + BROKEN[how][0])
    refused = run("people", "import", path)
    assert (refused.code, everybody(session)) == (1, [])
    assert BROKEN[how][1] in refused.stderr
    taken = run("people", "import", path, "--up-to-break")
    assert (taken.code, taken.report["created"], taken.report["rejected"]) == (0, 2, 0)
    assert taken.report["cut"]["line"] == 4
    assert BROKEN[how][1] in taken.stderr
    assert [p.family_name for p in everybody(session)] == ["Mensah", "Li"]


def test_a_last_line_without_its_end_is_whole_if_it_has_all_columns(
    session: Session, run: Callable[..., Command], tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(WHOLE.rstrip("\n"))
    assert run("people", "import", path).report["created"] == 2


def test_a_graduates_file_without_its_end_is_taken_as_far_as_it_goes(
    session: Session, run: Callable[..., Command], tmp_path: Path, north: School
) -> None:
    session.commit()
    path = tmp_path / "grads.txt"
    path.write_text(graduates(shifted(ADA), closing=""))
    assert run("people", "import", path).code == 1
    taken = run("people", "import", path, "--up-to-break")
    assert (taken.report["created"], taken.report["cut"]["line"]) == (1, 0)


def test_a_damaged_worksheet_is_taken_up_to_the_damage(
    session: Session, run: Callable[..., Command], tmp_path: Path
) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(damaged_workbook())
    refused = run("people", "import", path)
    assert refused.code == 1
    assert "list.xlsx:3: the worksheet is damaged here" in refused.stderr
    assert run("people", "import", path, "--up-to-break").report["created"] == 1


def test_on_the_page_the_good_lines_alone_are_checked_and_applied_by_choice(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(WHOLE.encode() + BROKEN["quote"][0], "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    assert work(app, session).state is ImportState.FAILED
    page = coordinator.get(f"/imports/{run.id}").text
    assert "Line 4 and everything below it cannot be read" in page
    coordinator.post(f"/imports/{run.id}/partial")
    assert "import.partial" in session.scalars(select(AuditEntry.action)).all()
    assert work(app, session).state is ImportState.CHECKED
    page = coordinator.get(f"/imports/{run.id}").text
    assert "Only the lines above line 4 are read." in page
    coordinator.post(f"/imports/{run.id}/apply")
    assert work(app, session).state is ImportState.APPLIED
    assert len(everybody(session)) == 2
    assert "Only the lines above line 4 are read." in coordinator.get(f"/imports/{run.id}").text


def test_a_whole_file_is_never_taken_in_part(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(WHOLE.encode(), "list.csv")
    assert coordinator.post(f"/imports/{latest(session).id}/partial").status_code == 409


def test_a_graduates_file_goes_through_the_pages_too(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, north: School
) -> None:
    session.commit()
    upload(graduates(shifted(ADA)).encode(), "grads.txt")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    run = work(app, session)
    assert (run.layout, run.state, run.totals["create"], run.totals["reject"]) == (
        "clearinghouse", ImportState.CHECKED, 1, 0,
    )  # fmt: skip
