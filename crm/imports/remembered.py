"""How the files of a sender are read: remembered by their columns' names, offered next time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import User
from crm.core.errors import Conflict, Invalid, NotFound
from crm.core.viewer import Viewer
from crm.imports.layout import header_key
from crm.imports.mapping import mapping_from
from crm.imports.models import ImportMapping, ImportRun
from crm.imports.uploads import asked_of, choose
from crm.web.paging import Page, keyset

OFFERED = 5
MAX_NAME = 80


def fingerprint(header: Sequence[str]) -> str:
    """What the same columns have in common, in whatever order and spelling they come."""
    keys = sorted(header_key(title) for title in header)
    return hashlib.sha256(json.dumps(keys, ensure_ascii=False).encode()).hexdigest()


def header_of(run: ImportRun) -> list[str]:
    """The names of the columns of an uploaded file."""
    return list(run.mapping.get("file", {}).get("header", []))


def remember(
    session: Session, run: ImportRun, *, name: str, by: Viewer, at: datetime
) -> ImportMapping:
    """Keep how a file is read, under the name of who sends such files; the last word counts."""
    name, header = _checked(name), header_of(run)
    values = {
        "name": name, "fingerprint": fingerprint(header), "header": header,
        "layout": run.layout or "auto", "directions": asked_of(run).as_json(), "used_at": at,
    }  # fmt: skip
    statement = insert(ImportMapping).values(**values, created_by=by.user_id, created_at=at)
    statement = statement.on_conflict_do_update(index_elements=["fingerprint", "name"], set_=values)
    kept = session.scalars(statement.returning(ImportMapping.id)).one()
    audit.record(session, "mapping.kept", kind="mapping", key=kept, by=by, at=at, name=name)
    return load(session, kept)


def offered(session: Session, run: ImportRun) -> Sequence[ImportMapping]:
    """The mappings that were kept for files with the very columns of this one, latest first."""
    statement = (
        select(ImportMapping)
        .where(ImportMapping.fingerprint == fingerprint(header_of(run)))
        .order_by(ImportMapping.used_at.desc(), ImportMapping.id.desc())
        .limit(OFFERED)
    )
    return session.scalars(statement).all()


def use(session: Session, run: ImportRun, mapping: ImportMapping, *, at: datetime) -> None:
    """Read a file as the mapping says; its columns must be those the mapping was made for."""
    if mapping.fingerprint != fingerprint(header_of(run)):
        raise Conflict("This file has other columns than the ones remembered.")
    directions = mapping_from(mapping.directions)
    by_key = {header_key(title): title for title in header_of(run)}
    titles = {
        by_key.get(header_key(t), t) if t not in header_of(run) else t: target
        for t, target in directions.columns.items()
    }
    choose(
        session, run, layout=mapping.layout,
        directions=replace(directions, columns=titles, orgs=asked_of(run).orgs),
    )  # fmt: skip
    mapping.used_at = at
    session.flush()


def mappings_page(session: Session, *, after: str | None) -> Page[Any]:
    """A page of the mappings with the name of who made each, by name."""
    statement = select(ImportMapping, User.name.label("by")).outerjoin(
        User, User.id == ImportMapping.created_by
    )
    return keyset(session, statement, [ImportMapping.name, ImportMapping.id], after=after)


def load(session: Session, mapping_id: int) -> ImportMapping:
    """The mapping; raises `NotFound`."""
    statement = select(ImportMapping).where(ImportMapping.id == mapping_id)
    found = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound("There is no such mapping.")
    return found


def change(
    session: Session, mapping: ImportMapping, *, name: str, columns: dict[str, str], by: Viewer,
    at: datetime,
) -> None:  # fmt: skip
    """Give a mapping another name and other columns."""
    name = _checked(name)
    same = select(ImportMapping.id).where(
        ImportMapping.fingerprint == mapping.fingerprint, ImportMapping.name == name,
        ImportMapping.id != mapping.id,
    )  # fmt: skip
    if session.scalar(same) is not None:
        raise Conflict("Another mapping for these columns has that name.")
    before = {"name": mapping.name, "columns": mapping.directions.get("columns", {})}
    mapping.name = name
    mapping.directions = {**mapping.directions, "columns": columns}
    after = {"name": name, "columns": columns}
    changed = [field for field in after if before[field] != after[field]]
    if changed:
        audit.record(
            session, "mapping.changed", kind="mapping", key=mapping.id, by=by, at=at,
            before={field: before[field] for field in changed},
            after={field: after[field] for field in changed},
        )  # fmt: skip
    session.flush()


def forget(session: Session, mapping: ImportMapping, *, by: Viewer, at: datetime) -> None:
    """Delete a mapping; files that were read by it stay as they are."""
    name, key = mapping.name, mapping.id
    session.delete(mapping)
    audit.record(session, "mapping.forgotten", kind="mapping", key=key, by=by, at=at, name=name)
    session.flush()


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Invalid(
            "Say who sends such files, in at most %(most)s characters.",
            field="sender",
            most=MAX_NAME,
        )
    return name
