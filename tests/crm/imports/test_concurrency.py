"""Two imports at once, and an import that dies half way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.engine import URL

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.imports.models import ImportRun
from crm.imports.service import import_people
from tests.conftest import TODAY, settings_for
from wsgi import create_app


@pytest.fixture
def own_app(make_database: Callable[[], URL], tmp_path: Path) -> Iterator[Flask]:
    """An app on a database of its own, in which commits are real."""
    app = create_app(settings_for(make_database(), tmp_path / "instance"))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    lines = [f"{n},Ada{n} Mensah,ada{n}@mail.example" for n in range(6_000)]
    path.write_text("\n".join(["Student ID,Name,Email", *lines]) + "\n")
    return path


def bring(app: Flask, path: Path) -> dict[str, int]:
    with app.app_context():
        run = import_people(db.session(), path, at=TODAY, by=SYSTEM)
        db.session.commit()
        return run.totals


def people(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Alumnus)) or 0


def test_two_imports_of_one_file_at_once_make_everybody_once(own_app: Flask, roster: Path) -> None:
    totals: list[dict[str, int]] = []
    both = [threading.Thread(target=lambda: totals.append(bring(own_app, roster))) for _ in "ab"]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert people(own_app) == 6_000
    assert sorted(t["create"] for t in totals) == [0, 6_000]
    assert sorted(t["unchanged"] for t in totals) == [0, 6_000]


def test_an_import_whose_connection_is_killed_leaves_nothing_and_can_run_again(
    own_app: Flask, roster: Path
) -> None:
    with own_app.app_context():
        session = db.session()
        pid = session.scalar(text("select pg_backend_pid()"))

        def kill(lines: int) -> None:
            with db.engine.connect() as other:
                other.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})

        with pytest.raises(Exception, match=r"terminat|closed|consuming|lost"):
            import_people(session, roster, at=TODAY, by=SYSTEM, progress=kill)
        session.invalidate()
        assert db.session.scalar(select(func.count()).select_from(ImportRun)) == 0
    assert people(own_app) == 0
    assert bring(own_app, roster)["create"] == 6_000
