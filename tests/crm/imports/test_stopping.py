"""Stopping an import under way: nothing of it is kept, and it can be started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.jobs import jobs
from crm.core.viewer import Role, Viewer
from crm.imports import background
from crm.imports.models import ImportLine, ImportRun, ImportState, Phase
from crm.imports.queries import load_run
from crm.imports.uploads import start_upload, store_upload
from tests.conftest import TODAY
from tests.crm.imports.test_concurrency import own_app
from tests.crm.imports.test_pages import Upload, latest, upload

__all__ = ["own_app", "upload"]
BY = Viewer(user_id=None, role=Role.COORDINATOR)
Start = Callable[[ImportState], int]


@pytest.fixture
def started(own_app: Flask, tmp_path: Path) -> Start:
    """An upload of 3,000 people, asked to be checked or applied."""

    def started(state: ImportState) -> int:
        roster = tmp_path / "list.csv"
        roster.write_text("ID,Name\n" + "".join(f"{n},Ada{n} Mensah\n" for n in range(3_000)))
        with own_app.app_context(), roster.open("rb") as stream:
            session = db.session()
            run = start_upload(session, store_upload(stream, "list.csv"), by=BY, at=TODAY)
            run.state = state
            session.commit()
            return run.id

    return started


def work_apart(app: Flask, import_id: int) -> threading.Thread:
    thread = threading.Thread(
        target=lambda: jobs(app).run("imports.work", {"import_id": import_id, "user_id": None})
    )
    thread.start()
    return thread


def state_of(app: Flask, import_id: int) -> tuple[ImportState, int, int]:
    """The state of an import, how many people there are, and how many lines are kept."""
    with app.app_context():
        session = db.session()
        people = session.scalar(select(func.count()).select_from(Alumnus)) or 0
        lines = session.scalar(select(func.count()).select_from(ImportLine)) or 0
        return load_run(session, import_id).state, people, lines


@pytest.mark.parametrize("held", ["alumnus", "external_id"])
def test_an_apply_that_is_stopped_while_it_writes_leaves_nothing(
    own_app: Flask, started: Start, held: str
) -> None:
    import_id = started(ImportState.APPLYING)
    with own_app.app_context(), db.engine.begin() as blocker:
        # Somebody else holds the table, so that the worker is surely in the midst of writing.
        blocker.execute(text(f"lock table {held} in share mode"))
        worker = work_apart(own_app, import_id)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            db.session.rollback()
            if load_run(db.session(), import_id).phase is Phase.WRITING:
                break
            time.sleep(0.05)
        run = load_run(db.session(), import_id, lock=True)
        background.stop(db.session(), run, by=BY, at=TODAY)
        db.session.commit()
        for _ in range(20):  # between two statements there is nothing to break off
            background.interrupt(db.session(), import_id)
            db.session.rollback()
            worker.join(0.5)
            if not worker.is_alive():
                break
        assert not worker.is_alive(), "the worker's statement is broken off at once"
    assert state_of(own_app, import_id) == (ImportState.UPLOADED, 0, 0)
    with own_app.app_context():
        db.session.execute(update(ImportRun).values(state=ImportState.APPLYING))
        db.session.commit()
    work_apart(own_app, import_id).join(60)
    assert state_of(own_app, import_id) == (ImportState.APPLIED, 3_000, 3_000)


def test_a_worker_notices_at_its_next_step_that_its_import_was_stopped(
    own_app: Flask, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = started(ImportState.CHECKING)
    phase = background.Reporter.phase

    def stopping(self: background.Reporter, now: Phase) -> None:
        if now is Phase.COMPARING:
            with db.engine.begin() as other:
                other.execute(update(ImportRun).values(state=ImportState.UPLOADED))
        phase(self, now)

    monkeypatch.setattr(background.Reporter, "phase", stopping)
    work_apart(own_app, import_id).join(60)
    assert state_of(own_app, import_id) == (ImportState.UPLOADED, 0, 0)


def test_an_import_that_was_stopped_at_the_last_moment_is_not_applied(
    own_app: Flask, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = started(ImportState.APPLYING)
    closing = background.Reporter.closing

    def stopping(self: background.Reporter, session: Session) -> None:
        with db.engine.begin() as other:
            other.execute(update(ImportRun).values(state=ImportState.CHECKED))
        closing(self, session)

    monkeypatch.setattr(background.Reporter, "closing", stopping)
    work_apart(own_app, import_id).join(60)
    assert state_of(own_app, import_id) == (ImportState.CHECKED, 0, 0)


def test_the_page_says_what_is_done_and_has_a_button_that_stops_it(
    coordinator: FlaskClient, session: Session, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "is_worked_on", lambda *_: True)
    upload(b"ID,Name\n1,Ada Mensah\n", "list.csv")
    run = latest(session)
    run.state, run.phase, run.totals = ImportState.APPLYING, Phase.WRITING, {"create": 1}
    session.commit()
    page = coordinator.get(f"/imports/{run.id}/progress").text
    assert "Writing people" in page
    assert "nothing of it is kept" in page
    assert coordinator.post(f"/imports/{run.id}/stop").status_code == 303
    run = latest(session)
    assert (run.state, run.phase) == (ImportState.CHECKED, None)
    assert coordinator.post(f"/imports/{run.id}/stop").status_code == 409
