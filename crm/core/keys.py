"""Keys that people can read, made of names."""

from __future__ import annotations

import re

from anyascii import anyascii
from sqlalchemy import select
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
