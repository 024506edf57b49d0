"""Keys that people can read, made of names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from anyascii import anyascii
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import InstrumentedAttribute, Session

LONGEST = 60


def free_key(
    session: Session, column: InstrumentedAttribute[str], name: str, *, otherwise: str
) -> str:
    """A key that the column does not hold yet: `Spring news 2026` → `spring-news-2026`.

    `otherwise` is the beginning for a name without a letter that ASCII has a word for.
    """
    base = "-".join(re.findall(r"[a-z0-9]+", anyascii(name).lower()))[:LONGEST] or otherwise
    taken = set(session.scalars(select(column).where(column.startswith(base, autoescape=True))))
    numbered = (f"{base}-{n}" for n in range(2, len(taken) + 3))
    return next(key for key in (base, *numbered) if key not in taken)


def names_by(
    key: InstrumentedAttribute[Any], name: Any
) -> Callable[[Session, Sequence[str]], dict[str, str]]:
    """What answers the names of rows by their keys as text, for `extensions().object_names`."""

    def names(session: Session, keys: Sequence[str]) -> dict[str, str]:
        text = cast(key, Text)
        return {k: str(n) for k, n in session.execute(select(text, name).where(text.in_(keys)))}

    return names
