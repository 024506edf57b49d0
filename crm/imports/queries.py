"""Reads of the imports area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.consent.references import numbers
from crm.core.database import among
from crm.core.errors import NotFound
from crm.core.extend import Reference, Todo
from crm.core.viewer import Permission, Viewer
from crm.imports.models import CustomField, Fate, ImportLine, ImportRun, ImportState
from crm.imports.people.undoing import BACK
from crm.web.paging import Page, keyset

EXPORT_BATCH = 5_000


def recent_runs(session: Session, *, limit: int) -> Sequence[ImportRun]:
    """The latest imports, newest first."""
    return session.scalars(select(ImportRun).order_by(ImportRun.id.desc()).limit(limit)).all()


def runs_page(session: Session, *, after: str | None) -> Page[Any]:
    """A page of imports with the name of who brought them, newest first."""
    statement = select(ImportRun, User.name).outerjoin(User, User.id == ImportRun.created_by)
    return keyset(session, statement, [ImportRun.id], after=after, descending=True)


def load_run(session: Session, import_id: int, *, lock: bool = False) -> ImportRun:
    """The import; raises `NotFound`."""
    statement = select(ImportRun).where(ImportRun.id == import_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    run = session.scalars(statement).one_or_none()
    if run is None:
        raise NotFound("There is no such import.")
    return run


def told_lines(
    session: Session, import_id: int, fates: Sequence[Fate], *, limit: int
) -> Sequence[ImportLine]:
    """The first lines that met one of these fates."""
    statement = (
        select(ImportLine)
        .where(ImportLine.import_id == import_id, ImportLine.fate.in_(fates))
        .order_by(ImportLine.line)
        .limit(limit)
    )
    return session.scalars(statement).all()


def undone_lines(session: Session, import_id: int, *, limit: int) -> Sequence[ImportLine]:
    """The first lines of an undone import of which something stays."""
    statement = (
        select(ImportLine)
        .where(ImportLine.import_id == import_id, ImportLine.undone != BACK)
        .order_by(ImportLine.line)
        .limit(limit)
    )
    return session.scalars(statement).all()


def lines_page(
    session: Session, import_id: int, *, fate: Fate | None, after: str | None
) -> Page[Any]:
    """A page of an import's lines in the order of the file, of one fate or of all."""
    statement = select(ImportLine).where(ImportLine.import_id == import_id)
    if fate is not None:
        statement = statement.where(ImportLine.fate == fate)
    return keyset(session, statement, [ImportLine.line], after=after)


def all_lines(session: Session, import_id: int) -> Iterator[ImportLine]:
    """Every line of an import in the order of the file, read a batch at a time."""
    last = -1
    while True:
        statement = (
            select(ImportLine)
            .where(ImportLine.import_id == import_id, ImportLine.line > last)
            .order_by(ImportLine.line)
            .limit(EXPORT_BATCH)
        )
        lines = session.scalars(statement).all()
        yield from lines
        if len(lines) < EXPORT_BATCH:
            return
        last = lines[-1].line
        session.expunge_all()


def targeting_fields(session: Session) -> list[str]:
    """The names of the custom fields that a mapping marked for the propensity model."""
    statement = select(CustomField.key).where(CustomField.targeting).order_by(CustomField.key)
    return list(session.scalars(statement))


def custom_fields(session: Session) -> dict[str, Any]:
    """The custom fields that files brought, by name with their labels."""
    rows = session.execute(select(CustomField.key, CustomField.label).order_by(CustomField.key))
    return {row.key: row.label or row.key for row in rows}


def waiting_imports(session: Session, viewer: Viewer, at: datetime) -> Iterator[Todo]:
    """The checked imports that nobody has applied yet, for those who may."""
    if viewer.may(Permission.IMPORT):
        waiting = ImportRun.state == ImportState.CHECKED
        count = session.scalar(select(func.count()).select_from(ImportRun).where(waiting)) or 0
        label = ngettext(
            "checked import waits to be applied", "checked imports wait to be applied", count
        )
        yield Todo(label, count, url_for("imports.index"))


def files_named(session: Session, keys: Sequence[str]) -> dict[str, Reference]:
    """Imports by the name of their file."""
    rows = session.execute(
        select(ImportRun.id, ImportRun.filename).where(among(ImportRun.id, numbers(keys)))
    )
    return {
        str(i): Reference(gettext("the file %(name)s", name=name), f"/imports/{i}")
        for i, name in rows
    }
