"""A query typed by a person, answered with what its page shows: people, or what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.people import PersonLine, people_page
from crm.core.extend import FieldKind, QueryContext, QueryField, extensions
from crm.core.viewer import Viewer
from crm.query import Compiled, QueryError, compile_query, count_up_to
from crm.web.paging import Page

COUNTED = 1_000
NOBODY: Page[PersonLine] = Page((), None)


@dataclass(frozen=True)
class Found:
    """What a query found, or the error that points at its word."""

    text: str
    page: Page[PersonLine] = NOBODY
    count: int = 0
    more: bool = False
    error: QueryError | None = None
    columns: tuple[tuple[Any, Mapping[int, Any]], ...] = field(default=())


def search(
    session: Session, viewer: Viewer, text: str, *, after: str | None, at: datetime
) -> Found:
    """One page of what `text` finds for this viewer; never raises for what they typed."""
    try:
        compiled = compile_query(text, QueryContext(session, viewer, at))
    except QueryError as error:
        return Found(text, error=error)
    page = people_page(session, compiled, after=after)
    ids = [line.id for line in page.items]
    columns = tuple(
        (column.label, column.values(session, ids, at)) for column in extensions().list_columns
    )
    count, more = counted(session, compiled, page, after)
    return Found(text, page, count, more, columns=columns)


def counted(
    session: Session, compiled: Compiled, page: Page[PersonLine], after: str | None
) -> tuple[int, bool]:
    """How many there are; a list that is all on its first page is not counted again."""
    if not after and page.after is None:
        return len(page.items), False
    return count_up_to(session, compiled, COUNTED)


def help_lines() -> list[tuple[Any, str]]:
    """(label, example) of every field that a query may use, for the page's help."""
    return [(f.label, f.example or _example(f)) for f in extensions().query_fields]


def _example(known: QueryField) -> str:
    return known.key if known.kind is FieldKind.FLAG else f"{known.key}:…"
