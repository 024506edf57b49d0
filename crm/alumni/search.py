"""A query typed by a person, answered with what its page shows: people, or what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.people import PeoplePage, people_page
from crm.core.extend import FieldKind, QueryContext, QueryField, extensions
from crm.core.viewer import Viewer
from crm.query import QueryError, compile_query

NOBODY = PeoplePage((), None)


@dataclass(frozen=True)
class Found:
    """What a query found, or the error that points at its word."""

    text: str
    page: PeoplePage = NOBODY
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
    return Found(text, page, columns=columns)


def help_lines() -> list[tuple[Any, str]]:
    """(label, example) of every field that a query may use, for the page's help."""
    return [(f.label, f.example or _example(f)) for f in extensions().query_fields]


def _example(known: QueryField) -> str:
    return known.key if known.kind is FieldKind.FLAG else f"{known.key}:…"
