"""Queries that mean the same whenever they are asked, put together once.

Kept by their text, whole viewer and language, and only if nothing but these went into them: one
that looked at the database or the clock while it was put together is put together each time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

from flask_babel import get_locale
from sqlalchemy.orm import Session

from crm.core.extend import QueryContext, extensions
from crm.query.compiled import Compiled
from crm.query.compiler import compile_anew

MOST = 256


def compile_query(text: str, context: QueryContext) -> Compiled:
    """Compile `text` for the viewer and moment given; raises `QueryError` pointing at a word."""
    if context.trail:
        return compile_anew(text, context)
    kept = extensions().queries
    key = text, context.viewer, str(get_locale())
    found = cast("Compiled | None", kept.pop(key, None))
    if found is None:
        lent = _Lent(context.session)
        found = compile_anew(text, _Watched(cast(Session, lent), context.viewer, context.at))
        if lent.looked:
            return found.on(context.session)
        found = found.on(None)
    _keep(kept, key, found)
    return found.on(context.session)


def _keep(kept: dict[Hashable, Any], key: Hashable, compiled: Compiled) -> None:
    """Put it last; what was not asked for longest makes room."""
    kept[key] = compiled
    while len(kept) > MOST:
        kept.pop(next(iter([*kept])), None)


class _Lent:
    """A session that notes that it was used."""

    def __init__(self, session: Session) -> None:
        self.lender, self.looked = session, False

    def __getattr__(self, name: str) -> Any:
        self.looked = True
        return getattr(self.lender, name)


class _Watched(QueryContext):
    """A context that notes with its lent session that somebody looked at the clock."""

    def __getattribute__(self, name: str) -> Any:
        if name == "at":
            self.session.looked = True  # type: ignore[attr-defined]
        return super().__getattribute__(name)
