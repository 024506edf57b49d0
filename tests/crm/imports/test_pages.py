"""Bringing a file in through the pages: upload, mapping, dry run, apply, cancel."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from crm.accounts.models import User
from crm.core.jobs import jobs
from crm.core.viewer import Role
from crm.imports import background, uploads
from crm.imports.decoding import examine
from crm.imports.models import ImportRun, ImportState
from crm.schools.models import School
from tests.crm.imports.conftest import DATA, everybody
from tests.factories import Make

ROSTER = (DATA / "powerschool.txt").read_bytes()
Upload = Callable[..., TestResponse]


@pytest.fixture
def upload(coordinator: FlaskClient) -> Upload:
    def upload(content: bytes, name: str = "roster.txt", **options: object) -> TestResponse:
        data = {"file": (io.BytesIO(content), name)}
        return coordinator.post("/imports", data=data, **options)

    return upload


def latest(session: Session) -> ImportRun:
    session.expire_all()
    return session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(1)).one()


def work(app: Flask, session: Session) -> ImportRun:
    """What a worker does with the queued job."""
    run = latest(session)
    jobs(app).run("imports.work", {"import_id": run.id, "user_id": None})
    return latest(session)


def stored(app: Flask) -> list[Path]:
    return list((Path(app.instance_path) / "uploads").glob("*"))


@pytest.fixture(autouse=True)
def empty_folder(app: Flask) -> None:
    """The instance folder outlives a test."""
    for path in stored(app):
        path.unlink()


def test_a_roster_goes_from_upload_to_summary(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, north: School
) -> None:
    page = upload(ROSTER, follow_redirects=True)
    assert "PowerSchool" in page.text
    assert "Never read" in page.text
    assert "123-45-6789" not in page.text
    run = latest(session)
    assert coordinator.post(f"/imports/{run.id}/check").status_code == 303
    assert "data-refresh" in coordinator.get(f"/imports/{run.id}").text
    assert work(app, session).state is ImportState.CHECKED
    page = coordinator.get(f"/imports/{run.id}?fate=skip")
    assert "has not been enrolled yet" in page.text
    assert everybody(session) == []
    coordinator.post(f"/imports/{run.id}/apply")
    run = work(app, session)
    assert (run.state, run.totals["create"]) == (ImportState.APPLIED, 4)
    assert len(everybody(session)) == 4
    assert f"/people/{everybody(session)[0].id}" in coordinator.get(f"/imports/{run.id}").text
    assert stored(app) == [], "a roster is not kept longer than it is needed"


def test_asking_twice_or_two_workers_apply_once(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(b"ID,Name\n1,Ada Mensah\n", "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    for _ in range(2):
        coordinator.post(f"/imports/{run.id}/apply")
    work(app, session)
    work(app, session)
    assert len(everybody(session)) == 1
    queued = "select count(*) from procrastinate_jobs where args->>'key' = 'imports.work'"
    assert session.scalar(text(queued)) == 3


def test_the_mapping_can_be_changed_on_the_page(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(b"Who,Class,Club,Odd\nAda Mensah,2011,Chess,x\n", "list.csv", follow_redirects=True)
    assert session.scalar(select(ImportRun.id)) is None, "a file without names is refused"
    upload(b"Name,Class,Club,Odd\nAda Mensah,2011,Chess,x\n", "list.csv")
    run = latest(session)
    form = {"layout": "spreadsheet", "column-2": "custom!", "column-3": "city"}
    coordinator.post(f"/imports/{run.id}/mapping", data=form)
    page = coordinator.get(f"/imports/{run.id}").text
    assert 'name="name-2" maxlength="40" value="club"' in page
    assert 'name="targeting-2" value="1" checked' in page
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    coordinator.post(f"/imports/{run.id}/apply")
    work(app, session)
    (ada,) = everybody(session)
    assert (ada.custom, ada.city) == ({"club": "Chess"}, "x")


def test_a_cancelled_import_leaves_nothing(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(b"ID,Name\n1,Ada Mensah\n", "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/cancel")
    assert latest(session).state is ImportState.CANCELLED
    assert stored(app) == []
    answer = coordinator.post(f"/imports/{run.id}/apply")
    assert answer.status_code == 409
    assert everybody(session) == []


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        (b'2,"Bo Li\n3,Cy Ray\n', "list.csv:3: a quotation mark"),
        (b"2,Bo Li\n3", "list.csv:4: the file breaks off in the middle of this line"),
    ],
)
def test_a_file_that_breaks_half_way_changes_nothing_and_says_where(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, rest: bytes, fault: str
) -> None:
    upload(b"ID,Name\n1,Ada Mensah\n" + rest, "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    run = work(app, session)
    assert run.state is ImportState.FAILED
    assert fault in coordinator.get(f"/imports/{run.id}").text
    assert everybody(session) == []


@pytest.mark.parametrize("content", [ROSTER, ROSTER.rstrip(), b'ID,Name\n1,"Ada Mensah"'])
def test_an_uploaded_file_is_read_as_it_was_when_it_came(
    app: Flask, session: Session, upload: Upload, content: bytes
) -> None:
    upload(content)
    again = uploads.reopen(latest(session))
    assert again.text == examine(again.path, again.name)


def test_the_fates_can_be_downloaded_without_formulas(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(b"ID,Name\n=1+1,Ada Mensah\n@x,Bo Li\n", "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    lines = coordinator.get(f"/imports/{run.id}/lines.csv").get_data(as_text=True).splitlines()
    assert lines[1:] == ["2,create,,'=1+1,,,", "3,create,,'@x,,,"]


def test_odd_names_of_files_stay_inside_the_instance(
    app: Flask, session: Session, upload: Upload, coordinator: FlaskClient
) -> None:
    upload(b"ID,Name\n1,Ada Mensah\n", "../../etc/<b>\x00passwd\u202e.csv")
    run = latest(session)
    assert run.stored_as is not None
    assert (Path(app.instance_path) / "uploads" / run.stored_as).is_file()
    assert "/" not in run.filename
    assert "<b>" not in coordinator.get(f"/imports/{run.id}").text
    coordinator.post(f"/imports/{run.id}/cancel")


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "list.csv", "is empty"),
        (b"MZ\x90\x00", "list.exe", "Bring a file that ends in"),
        (b"PK\x03\x04 no zip", "list.xlsx", "not the Excel workbook"),
        (b"PK\x03\x04", "list.csv", "is a zip archive"),
        (b"%PDF-1.7", "list.csv", "is a PDF"),
        (b"<html><table>", "list.csv", "is a web page"),
        (b"ID,Name\n1,A\x00B\n", "list.csv", "list.csv:2: holds a NUL byte"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_the_reason(
    app: Flask, session: Session, upload: Upload, content: bytes, name: str, words: str
) -> None:
    answer = upload(content, name)
    assert answer.status_code == 422
    assert words in answer.text
    assert session.scalar(select(ImportRun.id)) is None
    assert stored(app) == []


def test_only_coordinators_bring_files_in(
    login_as: Callable[[User], FlaskClient], make: Make
) -> None:
    for role in (Role.LIAISON, Role.SCHOOL, Role.VIEWER):
        browser = login_as(make.user(role))
        assert browser.get("/imports").status_code == 403
        assert browser.post("/imports").status_code == 403


def test_an_import_whose_worker_died_can_be_started_again(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(b"ID,Name\n1,Ada Mensah\n", "list.csv")
    run = latest(session)
    run.state = ImportState.CHECKING
    session.commit()
    assert not background.is_worked_on(session, run)
    assert "Start it again" in coordinator.get(f"/imports/{run.id}").text
    assert coordinator.post(f"/imports/{run.id}/check").status_code == 303
    assert work(app, session).state is ImportState.CHECKED


def test_a_file_and_its_lines_are_refused_in_the_readers_language(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    coordinator.get("/?lang=es")
    assert "list.csv: está vacío" in upload(b"", "list.csv", follow_redirects=True).text
    broken = b'ID,Name,Class\n1,Ada Mensah,2011\n2,"Bo'
    upload(broken, "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    assert work(app, session).state is ImportState.FAILED
    fault = "list.csv:3: unas comillas abiertas en esta línea no se cierran"
    assert fault in coordinator.get(f"/imports/{run.id}").text
    english = "list.csv:3: a quotation mark opened in this line is not closed"
    assert english in coordinator.get(f"/imports/{run.id}?lang=en").text
    coordinator.get("/?lang=es")
    upload(b"ID,Name,DOB\n1,Ada Mensah,13/45/99\n,Bo Li,\n", "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    told = ("“13/45/99” no es una fecha", "nada distingue a esta persona de otra")
    page = coordinator.get(f"/imports/{run.id}").text
    fates = coordinator.get(f"/imports/{run.id}/lines.csv").text
    for words in told:
        assert words in page
        assert words in fates
