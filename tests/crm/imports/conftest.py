"""What the tests of imports share: files written on the spot, and who reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, ExternalId, Schooling
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.imports import background
from crm.imports.mapping import mapping_from
from crm.imports.models import Fate, ImportLine, ImportRun, RememberedFile
from crm.imports.service import import_people
from crm.schools.models import School
from crm.schools.service import SchoolFacts, save_schools

DATA = Path(__file__).parents[2] / "data"
Bring = Callable[..., ImportRun]


class Command:
    """The last command's answer."""

    def __init__(self, result: Any) -> None:
        self.code = result.exit_code
        self.stderr = result.stderr
        lines = result.stdout.strip().splitlines()
        self.report: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception


@pytest.fixture
def run(runner: Any) -> Callable[..., Command]:
    """Runs a command with --json."""
    return lambda *args: Command(runner.invoke(args=[*map(str, args), "--json"]))


@pytest.fixture(autouse=True)
def within_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's one transaction has no second connection that sees it."""
    if "own_app" not in request.fixturenames:
        monkeypatch.setattr(background, "aside", lambda: nullcontext(db.session.connection()))


@pytest.fixture
def north(session: Session, now: datetime) -> School:
    """North High School, local number 201."""
    facts = SchoolFacts("North High School", nces_id="130012000201", codes=("201",))
    save_schools(session, [facts], at=now)
    return session.scalars(select(School).where(School.nces_id == "130012000201")).one()


@pytest.fixture
def bring(session: Session, now: datetime, tmp_path: Path) -> Bring:
    """Imports the text of a people file; `mapping` is what a mapping file would say."""

    def bring(text: str | bytes, name: str = "list.csv", **options: Any) -> ImportRun:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if "mapping" in options:
            options["directions"] = mapping_from(options.pop("mapping"))
        options.setdefault("at", now)
        return import_people(session, path, by=SYSTEM, **options)

    return bring


def fates(run: ImportRun) -> dict[str, int]:
    """The fates that some line met."""
    return {fate: n for fate, n in run.totals.items() if n}


def reasons(session: Session, run: ImportRun, fate: Fate | None = None) -> list[str]:
    """Why lines met a fate, in the order of the file."""
    statement = select(ImportLine).where(ImportLine.import_id == run.id).order_by(ImportLine.line)
    lines = session.scalars(statement)
    return [line.reason or "" for line in lines if fate in (None, line.fate)]


def everybody(session: Session) -> list[Alumnus]:
    """All people by id."""
    session.expire_all()
    return list(session.scalars(select(Alumnus).order_by(Alumnus.id)))


def person(session: Session, value: str) -> Alumnus:
    """The person with an external id."""
    session.expire_all()
    statement = select(Alumnus).join(ExternalId).where(ExternalId.value == value)
    return session.scalars(statement).one()


def contacts(session: Session, alumnus: Alumnus) -> dict[str, tuple[str, bool]]:
    """key → (owner, preferred)."""
    rows = session.scalars(select(ContactPoint).where(ContactPoint.alumnus_id == alumnus.id))
    return {c.key: (c.owner.value, c.preferred) for c in rows}


def schoolings(session: Session, alumnus: Alumnus) -> list[Schooling]:
    """Where they went."""
    return list(session.scalars(select(Schooling).where(Schooling.alumnus_id == alumnus.id)))


@pytest.fixture
def full(session: Session, north: School, bring: Bring) -> Callable[..., list[tuple[Any, ...]]]:
    """Brings a file twice, with and without what is remembered; answers what became of its lines.

    Each time everything is rolled back. Both ways must find the same.
    """

    def lines(content: str, **options: Any) -> list[tuple[Any, ...]]:
        run = bring(content, **options)
        found = session.execute(
            select(
                ImportLine.line, ImportLine.fate, ImportLine.reason, ImportLine.external_id,
                ImportLine.changes,
            ).where(ImportLine.import_id == run.id).order_by(ImportLine.line)
        ).all()  # fmt: skip
        return [tuple(row) for row in found]

    def full(content: str, **options: Any) -> list[tuple[Any, ...]]:
        found = []
        for forgetful in (False, True):
            point = session.begin_nested()
            if forgetful:
                session.execute(delete(RememberedFile))
            found.append(lines(content, **options))
            point.rollback()
            session.expire_all()
        assert found[0] == found[1]
        return found[0]

    return full
