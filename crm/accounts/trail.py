"""Reading the audit trail: searched, paged, in words, and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, Text, cast, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import AuditEntry, User
from crm.accounts.telling import Deed, told
from crm.core.errors import Invalid
from crm.core.extend import QueryContext
from crm.core.viewer import Viewer
from crm.query import compile_query
from crm.web.cells import lines
from crm.web.paging import Page, keyset

BATCH = 1_000
SHOWN = 25
LONGEST = 500
HEADING = ("at", "who", "action", "kind", "key", "before", "after", "detail")


@dataclass(frozen=True)
class Search:
    """What is looked for; empty fields ask nothing. `person` is a text of the query language."""

    person: str = ""
    who: str = ""
    action: str = ""
    kind: str = ""
    key: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Search:
        """The search that an address or a form asks for."""
        return cls(**{f.name: given.get(f.name, "").strip()[:LONGEST] for f in fields(cls)})

    @property
    def asked(self) -> dict[str, str]:
        """The fields that ask something."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name))}


def entries(
    session: Session, search: Search, *, viewer: Viewer, at: datetime
) -> Select[AuditEntry, str]:
    """The entries that a search means, each with the name of who acted.

    Raises `Invalid` (naming the field) or `QueryError` for what cannot be looked for.
    """
    statement = select(AuditEntry, User.name).outerjoin(User, User.id == AuditEntry.user_id)
    if search.person:
        compiled = compile_query(search.person, QueryContext(session, viewer, at))
        ids = compiled.ids.subquery()
        statement = statement.where(
            AuditEntry.object_kind == "alumnus",
            AuditEntry.object_id.in_(select(cast(ids.c[0], Text))),
        )
    if search.who == "program":
        statement = statement.where(AuditEntry.user_id.is_(None))
    elif search.who:
        statement = statement.where(AuditEntry.user_id == _number(search.who))
    for column, value in (
        (AuditEntry.action, search.action), (AuditEntry.object_kind, search.kind),
        (AuditEntry.object_id, search.key),
    ):  # fmt: skip
        if value:
            statement = statement.where(column == value)
    if search.since:
        statement = statement.where(AuditEntry.at >= _day(search.since, "since"))
    if search.until:
        after = _day(search.until, "until") + timedelta(days=1)
        statement = statement.where(AuditEntry.at < after)
    return statement


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _day(text: str, field: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid(_("Write a day as 2026-09-01."), field=field) from None
    if not 1900 <= day.year <= 2200:
        raise Invalid(_("Write a year between 1850 and 2200."), field=field)
    return datetime.combine(day, time(), UTC)


def deeds(
    session: Session, search: Search, *, viewer: Viewer, at: datetime, after: str | None
) -> tuple[list[Deed], Page[Any]]:
    """One page of a search in words, the newest first."""
    statement = entries(session, search, viewer=viewer, at=at)
    page = keyset(session, statement, [AuditEntry.id], after=after, descending=True, size=SHOWN)
    return told(session, [(row.AuditEntry, row.name) for row in page.items]), page


def export(
    session: Session, search: Search, *, viewer: Viewer, at: datetime
) -> Select[AuditEntry, str]:
    """The entries for a file; that they leave is itself noted."""
    statement = entries(session, search, viewer=viewer, at=at)
    audit.record(
        session, "audit.exported", kind="audit", key="trail", by=viewer, at=at, search=search.asked
    )
    session.flush()
    return statement.where(AuditEntry.at <= at).order_by(AuditEntry.id.desc())


def as_file(session: Session, statement: Select[AuditEntry, str]) -> Iterator[str]:
    """The file piece by piece, from a cursor on the server."""
    yield "\ufeff" + lines([HEADING])
    found = session.execute(statement.execution_options(yield_per=BATCH))
    for batch in found.partitions():
        yield lines([_row(row.AuditEntry, row.name) for row in batch])


def _row(entry: AuditEntry, who: str | None) -> list[str]:
    detail = dict(entry.detail)
    before, after = detail.pop("before", None), detail.pop("after", None)
    kept = [_json(value) for value in (before, after, detail)]
    return [
        entry.at.isoformat(), who or "Homecoming", entry.action, entry.object_kind,
        entry.object_id, *kept,
    ]  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
