"""A query typed by a person, answered with what its page shows: people, or what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.people import PeoplePage, people_page
from crm.core.extend import FieldKind, QueryContext, QueryField, extensions
from crm.core.viewer import Viewer
from crm.query import QueryError, compile_query
from crm.query.sentence import sentence

NOBODY = PeoplePage((), None)
SAMPLE = 5


@dataclass(frozen=True)
class Found:
    """What a query found, or the error that points at its word."""

    text: str
    page: PeoplePage = NOBODY
    error: QueryError | None = None
    columns: tuple[Any, ...] = ()
    says: str = ""


def search(
    session: Session, viewer: Viewer, text: str, *, after: str | None, at: datetime
) -> Found:
    """One page of what `text` finds for this viewer; never raises for what they typed."""
    try:
        compiled = compile_query(text, QueryContext(session, viewer, at))
    except QueryError as error:
        return Found(text, error=error)
    columns = extensions().list_columns
    page = people_page(session, compiled, after=after, columns=columns)
    says = sentence(compiled) if compiled.fields else ""
    return Found(text, page, columns=tuple(column.label for column in columns), says=says)


def compose(text: str, context: QueryContext) -> Found:
    """Whom a query means so far: in words, how many, and the first few; never raises for it."""
    try:
        compiled = compile_query(text, context)
    except QueryError as error:
        return Found(text, error=error)
    page = people_page(context.session, compiled, after=None, size=SAMPLE)
    return Found(text, page, says=sentence(compiled))


def help_lines() -> list[tuple[Any, str]]:
    """(label, example) of every field that a query may use, for the page's help."""
    return [(f.label, f.example or _example(f)) for f in extensions().query_fields]


def help_rows() -> list[tuple[Any, str, list[str]]]:
    """(label, example, what it knows) of everything of which a query may describe one row."""
    known = extensions().query_rows.values()
    return [
        (rows.label, rows.example, [*(f.key for f in rows.fields), *(t.key for t in rows.totals)])
        for rows in known
    ]


def _example(known: QueryField) -> str:
    return known.key if known.kind is FieldKind.FLAG else f"{known.key}:…"
